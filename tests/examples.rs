//! Every example becomes a run in every setting, and the scripts among them come out as they say.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "tests look for their data, and say so when it is not there"
)]

use std::path::{Path, PathBuf};

use dynamo_sim::cluster;
use dynamo_sim::kernel::time::Span;
use dynamo_sim::scenario::build::run_config;
use dynamo_sim::scenario::source::Disk;
use dynamo_sim::scenario::{Loaded, Setting, load};

/// The examples, or nothing with a loud word when they are not there.
fn examples() -> Vec<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/scenarios");
    let Ok(entries) = std::fs::read_dir(folder) else {
        eprintln!("SKIPPED: {folder} is not there, no example was built or run");
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files
}

fn loaded(file: &Path) -> Loaded {
    let disk = Disk::open(file.to_str().expect("the path is text")).expect("the example is readable");
    load(&disk, &[]).unwrap_or_else(|errors| panic!("{errors}"))
}

fn title(file: &Path, setting: &Setting) -> String {
    let stem = file.file_stem().expect("a file has a name").to_string_lossy();
    let values: Vec<String> =
        setting.values.iter().map(|value| format!("{}={}", value.axis, value.value.label())).collect();
    format!("{stem}[{}]", values.join(", "))
}

#[test]
fn every_example_becomes_a_run_in_every_setting() {
    let mut wrong = Vec::new();
    for file in examples() {
        let loaded = loaded(&file);
        for setting in &loaded.settings {
            match run_config(&setting.spec, 1, &loaded.files) {
                Ok(built) => assert_eq!(built.config.seed, 1),
                Err(errors) => wrong.extend(errors.iter().map(|error| format!("{}: {error}", title(&file, setting)))),
            }
        }
    }
    assert!(wrong.is_empty(), "every setting of every example is a run:\n{}", wrong.join("\n"));
}

/// What an example's scripts broke, with the steps' names.
fn broken(file: &Path) -> Vec<String> {
    let loaded = loaded(file);
    let mut broken = Vec::new();
    for setting in &loaded.settings {
        let title = title(file, setting);
        let built = run_config(&setting.spec, 1, &loaded.files).unwrap_or_else(|errors| panic!("{title}: {errors:?}"));
        let end = cluster::run(&built.config, &mut []);
        for result in &end.steps {
            let step = &built.config.steps[result.step as usize];
            let name = step.name.clone().unwrap_or_else(|| result.step.to_string());
            let reasons = result.broken.iter().flatten();
            broken.extend(reasons.map(|reason| format!("{title} step {name}: {reason}")));
        }
        let expecting = built.config.steps.iter().filter(|step| step.expect.is_some()).count();
        let judged = end.steps.iter().filter(|result| result.broken.is_some()).count();
        if expecting != judged {
            broken
                .push(format!("{title}: {expecting} steps expect something, {judged} were judged; {:?}", end.notices));
        }
    }
    broken
}

#[test]
fn scripts_come_out_as_they_say() {
    let scripted = |file: &PathBuf| {
        std::fs::read_to_string(file).is_ok_and(|text| {
            let value: serde_json::Value = serde_json::from_str(&text).expect("an example is JSON");
            let steps = value["script"].as_array().map_or(&[][..], Vec::as_slice);
            steps.iter().any(|step| step.get("expect").is_some())
        })
    };
    let broken: Vec<String> = examples().iter().filter(|file| scripted(file)).flat_map(|file| broken(file)).collect();
    assert!(broken.is_empty(), "every step comes out as its script says:\n{}", broken.join("\n"));
}

/// Enough to meet the first of everything, and short enough to do it for every setting of every example.
const GLIMPSE: Span = Span::from_ms(300);

#[test]
fn every_example_begins_to_run_in_every_setting() {
    for file in examples() {
        let loaded = loaded(&file);
        for setting in &loaded.settings {
            let title = title(&file, setting);
            let mut spec = setting.spec.clone();
            // Long traces and large rings are for the program that is built for speed.
            spec.duration = spec.duration.map(|duration| duration.min(GLIMPSE));
            spec.settle = spec.settle.min(GLIMPSE);
            let built = run_config(&spec, 1, &loaded.files).unwrap_or_else(|errors| panic!("{title}: {errors:?}"));
            let end = cluster::run(&built.config, &mut []);
            let began = !spec.clients.is_empty() && spec.clients.iter().any(|group| group.start < GLIMPSE);
            let rate_is_low = title.starts_with("figure-6");
            assert!(end.events > 0 || !began || rate_is_low, "{title} has clients and events");
        }
    }
}
