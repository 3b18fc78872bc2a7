//! `sweep --dry-run`: what would be played, and about how long it would take.

use std::fmt::Write;
use std::path::Path;
use std::thread::available_parallelism;

use serde_json::json;

use super::campaign::Plan;
use super::out::{print_data, print_styled, say};
use super::{BAD_INPUT, Common, Format};
use crate::cluster::config::RunConfig;
use crate::kernel::time::SimTime;
use crate::node::config::Quorum;
use crate::report::play::rehearse;
use crate::report::run_dir::pretty;
use crate::report::sweep::files;
use crate::report::terminal;
use crate::scenario::sweep::describe;
use crate::workload::arrivals::expected;

/// Enough of a run to guess how long it takes, in seconds.
const REHEARSAL: f64 = 0.3;

/// Prints the plan of a sweep, and plays nothing of it but the beginning of its first run.
pub(super) fn dry_run(
    plan: &Plan<'_>,
    common: &Common,
    jobs: &[(usize, u64)],
    shard: Option<(u32, u32)>,
    out: &Path,
) -> u8 {
    let cost = match Cost::of(plan, jobs) {
        Ok(cost) => cost,
        Err(reason) => {
            say(&format!("{}: {reason}", plan.file));
            return BAD_INPUT;
        }
    };
    let cores = available_parallelism().map_or(1, usize::from);
    let threads = common.jobs.map_or(cores, usize::from);
    // More threads than cores or runs make nothing faster.
    let wall = cost.cpu_s / threads.min(cores).min(jobs.len().max(1)) as f64;
    let (first, last) = plan.seeds;
    if common.format == Format::Json {
        let settings = files::settings(&plan.loaded);
        let settings: Vec<_> =
            settings.iter().map(|row| json!({ "setting": row.number, "values": row.labels })).collect();
        let skipped = plan.loaded.skipped.iter();
        let skipped: Vec<_> =
            skipped.map(|one| json!({ "values": describe(&one.values), "because": one.because })).collect();
        let json = json!({
            "scenario": plan.loaded.name, "axes": files::axes(&plan.loaded), "settings": settings, "skipped": skipped,
            "seeds": [first, last], "shard": shard.map(|(number, of)| [number, of]), "runs": jobs.len(),
            "operations": cost.operations.map(f64::round), "cpu_s_estimate": cost.cpu_s, "jobs": threads,
            "wall_s_estimate": wall, "out": out.display().to_string(),
        });
        return print_data(pretty(&json).as_bytes());
    }
    let rows: Vec<Vec<String>> = files::settings(&plan.loaded)
        .into_iter()
        .zip(&plan.replication)
        .map(|(row, of)| {
            let quorum = match of.quorum {
                Quorum::Strict => "strict",
                Quorum::Sloppy => "sloppy",
            };
            let own = [of.n, of.r, of.w].map(|number| number.to_string());
            let mut cells = vec![row.number.to_string()];
            cells.extend(row.labels);
            cells.extend(own);
            cells.extend([quorum.to_string(), of.nodes.to_string()]);
            cells
        })
        .collect();
    let axes = files::axes(&plan.loaded);
    let mut header = vec!["#".to_string()];
    header.extend(axes);
    header.extend(["N", "R", "W", "quorum", "nodes"].map(String::from));
    let mut text = format!("{}: what would be played; nothing is written\n\n", plan.loaded.name);
    text.push_str(&terminal::plan(&header, &rows));
    for one in &plan.loaded.skipped {
        let _ = writeln!(text, "  skipped {}: {}", describe(&one.values), one.because);
    }
    let seeds = if first == last { format!("seed {first}") } else { format!("seeds {first} to {last}") };
    let part = shard.map_or(String::new(), |(number, of)| format!(", shard {number} of {of}"));
    let _ = writeln!(text, "\n  runs        {} ({} settings, {seeds}{part})", jobs.len(), plan.loaded.settings.len());
    let operations = match cost.operations {
        Some(operations) => format!("about {}", terminal::brief(operations)),
        None => "not known: closed clients ask again as soon as they are answered".into(),
    };
    let _ = writeln!(text, "  operations  {operations}");
    let _ = writeln!(
        text,
        "  CPU time    about {}: an estimate, from the first {} of run 1 ({:.1} s)",
        terminal::duration(cost.cpu_s * 1e3),
        terminal::duration(cost.seen.as_ms()),
        cost.took_s
    );
    let _ = writeln!(text, "  wall time   about {} with {threads} at a time", terminal::duration(wall * 1e3));
    let _ = writeln!(text, "  results     {}", out.display());
    print_styled(&text)
}

/// What a sweep is expected to cost.
struct Cost {
    /// Operations that clients begin; `None` if that depends on how soon they are answered.
    operations: Option<f64>,
    cpu_s: f64,
    /// How much of the first run was seen, and how long that took.
    seen: SimTime,
    took_s: f64,
}

impl Cost {
    #[expect(clippy::disallowed_types, reason = "how fast this machine is only a clock can say")]
    fn of(plan: &Plan<'_>, jobs: &[(usize, u64)]) -> Result<Cost, String> {
        let (first, _) = plan.config(0, plan.seeds.0)?;
        let since = std::time::Instant::now();
        let seen = rehearse(&first, &plan.wanted, |_| since.elapsed().as_secs_f64() > REHEARSAL);
        let took_s = since.elapsed().as_secs_f64();
        let mut total = Work::default();
        let mut of_setting = Vec::new();
        for setting in 0..plan.loaded.settings.len() {
            let (config, _) = plan.config(setting, plan.seeds.0)?;
            of_setting.push(Work::before(&config, SimTime::MAX));
        }
        jobs.iter().for_each(|(setting, _)| total.add(&of_setting[*setting]));
        let part = Work::before(&first, seen);
        // Operations take the time; where their number is not known, or there are none, virtual time stands for them.
        let times = match (part.operations, total.operations) {
            (Some(part), Some(total)) if part >= 1.0 => total / part,
            _ if part.virtual_ms > 0.0 => total.virtual_ms / part.virtual_ms,
            _ => jobs.len() as f64,
        };
        Ok(Cost { operations: total.operations, cpu_s: took_s * times, seen, took_s })
    }
}

/// What is to do.
struct Work {
    operations: Option<f64>,
    virtual_ms: f64,
}

impl Default for Work {
    fn default() -> Work {
        Work { operations: Some(0.0), virtual_ms: 0.0 }
    }
}

impl Work {
    /// Of a run before some time.
    fn before(config: &RunConfig, until: SimTime) -> Work {
        let end = config.duration.map_or(until, |duration| until.min(duration + config.settle));
        let known: Option<f64> = config.groups.iter().map(|group| expected(group, end)).sum();
        Work { operations: known, virtual_ms: if end == SimTime::MAX { 0.0 } else { end.as_ms() } }
    }

    fn add(&mut self, other: &Work) {
        self.operations = self.operations.zip(other.operations).map(|(mine, theirs)| mine + theirs);
        self.virtual_ms += other.virtual_ms;
    }
}
