//! `merge`: the shards of a sweep become what one sweep would have written.

use std::path::PathBuf;

use super::campaign::{MAX_RUNS, Plan, Stop};
use super::sweep::{finish, read_journal};
use super::{BAD_INPUT, Common, Format};
use crate::report::sweep::Folded;
use crate::report::sweep::journal::{self, Header};
use crate::report::{May, RunDir};

#[derive(Debug, clap::Args)]
pub(super) struct MergeArguments {
    /// The scenario file of the sweep
    file: String,
    /// Directories of all its shards, in any order
    #[arg(required = true, value_name = "DIR")]
    shards: Vec<PathBuf>,
    /// Where results go, instead of results/NAME/sweep
    #[arg(short, long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// What standard output gets
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Override one field, as the shards did; may be given several times
    #[arg(long, value_name = "PATH=VALUE", value_parser = super::assignment)]
    set: Vec<(String, String)>,
    /// Overwrite other results
    #[arg(long)]
    force: bool,
    /// Print nothing but errors
    #[arg(short, long)]
    quiet: bool,
}

/// Joins the shards of a sweep.
pub(super) fn merge(arguments: &MergeArguments) -> u8 {
    let common = Common {
        out: arguments.out.clone(),
        format: arguments.format,
        set: arguments.set.clone(),
        force: arguments.force,
        quiet: arguments.quiet,
        ..Common::default()
    };
    let Some(mut plan) = Plan::read(&arguments.file, &common) else { return BAD_INPUT };
    let folded = match fold(&mut plan, &arguments.shards) {
        Ok(folded) => folded,
        Err(reason) => return Stop::BadInput(reason).say(&arguments.file),
    };
    let path = arguments.out.clone().unwrap_or_else(|| plan.results("sweep"));
    let may = if arguments.force { May::Overwrite } else { May::Begin };
    match RunDir::prepare(&path, &plan.hash(), may) {
        Ok(directory) => finish(&plan, &common, directory, &folded),
        Err(error) => Stop::NoOutput(error).say(&arguments.file),
    }
}

/// Reads all shards. The seeds are theirs.
fn fold(plan: &mut Plan<'_>, shards: &[PathBuf]) -> Result<Folded, String> {
    let mut found: Vec<(Header, PathBuf)> = Vec::new();
    for shard in shards {
        let place = shard.join(journal::COMPLETE);
        if !place.is_file() {
            let why = match shard.join(journal::NAME).is_file() {
                true => "the shard is not complete; sweep --resume goes on with it",
                false => "holds no shard of a sweep",
            };
            return Err(format!("{}: {why}", shard.display()));
        }
        found.push((journal::header(&place)?, place));
    }
    let first = &found[0].0;
    let Some((_, of)) = first.shard else { return Err(format!("{}: is no shard", shards[0].display())) };
    let (from, to) = first.seeds;
    let runs =
        to.checked_sub(from).map(|more| (more.saturating_add(1)).saturating_mul(plan.loaded.settings.len() as u64));
    if runs.is_none_or(|runs| runs > MAX_RUNS) {
        return Err(format!("{}: is of the seeds {from}..{to}, which no sweep has", found[0].1.display()));
    }
    plan.seeds = first.seeds;
    let wanted = Header::new(plan.hash(), plan.seeds, None);
    for (number, (header, place)) in found.iter().enumerate() {
        let place = place.display();
        if let Some(why) = header.differs(&wanted) {
            return Err(format!("{place}: {why}"));
        }
        match header.shard {
            Some((_, others)) if others == of => {}
            Some((_, others)) => {
                return Err(format!("{place}: it is one of {others} shards, and the first is of {of}"));
            }
            None => return Err(format!("{place}: is no shard")),
        }
        if let Some((_, twice)) = found[..number].iter().find(|(other, _)| other.shard == header.shard) {
            return Err(format!("{place}: the same shard as {}", twice.display()));
        }
    }
    let is_there = |number: &u32| found.iter().any(|(header, _)| header.shard == Some((*number, of)));
    let missing: Vec<String> =
        (1..=of).filter(|number| !is_there(number)).map(|number| format!("{number}/{of}")).collect();
    if !missing.is_empty() {
        return Err(format!("shards are missing: {}", missing.join(", ")));
    }
    let mut folded = Folded::default();
    for (header, place) in &found {
        let before = folded.count();
        read_journal(plan, place, header, &mut folded)?;
        let (number, of) = header.shard.expect("it was looked at");
        let wanted = plan.jobs().into_iter().skip(number as usize - 1).step_by(of as usize);
        let (mut all, mut missing) = (0, 0);
        for (setting, seed) in wanted {
            all += 1;
            missing += usize::from(!folded.has(plan.loaded.settings[setting].number, seed));
        }
        if missing > 0 || folded.count() - before != all {
            return Err(format!("{}: {missing} of {all} runs are missing", place.display()));
        }
    }
    Ok(folded)
}
