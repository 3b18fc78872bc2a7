//! How work and data are spread over the nodes of a run.

use super::common::{about_run, axis, series};
use crate::report::figure::{Axis, Figure, Form, Mark, Panel, Point, Scale};
use crate::report::results::RunFiles;

const SHARES: [(&str, &str); 3] = [
    ("load.share", "Of all requests served"),
    ("coordinator.share", "Of all coordination"),
    ("stored.share", "Of all stored data"),
];

/// A bar a node, and the share each would have if all had the same.
pub fn load(run: &RunFiles) -> Option<Figure> {
    let nodes = run.summary["nodes"].as_object()?;
    let names: Vec<String> = nodes.keys().cloned().collect();
    let mut panels = Vec::new();
    for (metric, label) in SHARES {
        let share = |at: usize| nodes[&names[at]][metric].as_f64().filter(|share| share.is_finite());
        let points: Vec<Point> =
            (0..names.len()).filter_map(|at| Some(Point { x: at as f64, y: share(at)?, ..Point::default() })).collect();
        if points.iter().all(|point| point.y == 0.0) {
            continue;
        }
        let mean = points.iter().map(|point| point.y).sum::<f64>() / points.len() as f64;
        let ends = [-0.5, names.len() as f64 - 0.5];
        let line = ends.map(|x| Point { x, y: mean, ..Point::default() }).to_vec();
        panels.push(Panel {
            title: String::new(),
            y: Axis { least: Some(0.0), ..axis(label, Scale::Linear, Form::Percent) },
            series: vec![series("", 0, Mark::Bars, points), series("mean", 6, Mark::Dashed, line)],
        });
    }
    if panels.is_empty() {
        return None;
    }
    Some(Figure {
        name: "load".into(),
        title: "Load of each node".into(),
        about: about_run(run, "A bar a node, in the order of the cluster; dashed: the mean."),
        x: axis("Node", Scale::Names(names), Form::Plain),
        panels,
        shades: Vec::new(),
        notes: Vec::new(),
    })
}
