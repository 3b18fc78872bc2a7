//! `sweep`: all settings of a scenario with all seeds, in one go, with interruptions, or in shards.

use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};

use super::campaign::{Follower, MAX_RUNS, NO_HISTORY, Plan, Stop};
use super::dry_run::dry_run;
use super::out::{is_heard_by_a_person, print_data, print_styled, say, terminal_width};
use super::stop::Listening;
use super::{BAD_INPUT, Common, Format, HELD, INTERRUPTED, NO_OUTPUT};
use crate::check::{evaluate, exit_status};
use crate::report::run_dir::write_new;
use crate::report::sweep::files::{self, Sweep};
use crate::report::sweep::frontier::frontier;
use crate::report::sweep::journal::{self, Header, Journal, Lines};
use crate::report::sweep::{Folded, Record};
use crate::report::terminal::{self, Title};
use crate::report::{Manifest, May, OutputError, RunDir};

/// What an interrupted sweep has come to so far. It is no result, so it has no result's name.
const REPORT: &str = "report.partial";

#[derive(Debug, Default, clap::Args)]
pub(super) struct SweepArguments {
    /// Scenario file; `-` is standard input
    file: String,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    how: How,
}

/// How a sweep is played.
#[derive(Debug, Default, clap::Args)]
pub(super) struct How {
    /// Print what would be played and about how long it would take, and play nothing
    #[arg(long, conflicts_with_all = ["resume"])]
    dry_run: bool,
    /// Play every N-th run only, from the I-th on; `merge` joins the shards
    #[arg(long, value_name = "I/N", value_parser = shard)]
    shard: Option<(u32, u32)>,
    /// Go on with a sweep that was interrupted
    #[arg(long, conflicts_with = "force")]
    resume: bool,
}

/// `I/N` of `--shard`.
fn shard(text: &str) -> Result<(u32, u32), String> {
    const FORM: &str = "needs the form I/N, like 1/4 for the first of four";
    let (number, of) = text.split_once('/').ok_or(FORM)?;
    match (number.parse(), of.parse()) {
        (Ok::<u32, _>(_), Ok(of)) if u64::from(of) > MAX_RUNS => Err(format!("there are at most {MAX_RUNS} shards")),
        (Ok(number), Ok(of)) if (1..=of).contains(&number) => Ok((number, of)),
        (Ok::<u32, _>(_), Ok::<u32, _>(of)) if of > 0 => Err(format!("shards of {of} have the numbers 1 to {of}")),
        _ => Err(FORM.into()),
    }
}

/// Plays the sweep of a scenario.
pub(super) fn sweep(arguments: &SweepArguments) -> u8 {
    let Some(mut plan) = Plan::read(&arguments.file, &arguments.common) else { return BAD_INPUT };
    play(&mut plan, &arguments.common, &arguments.how, false)
}

/// Plays all runs of a plan and writes their results.
pub(super) fn play(plan: &mut Plan<'_>, common: &Common, how: &How, wants_history: bool) -> u8 {
    if wants_history && !plan.loaded.base.measure.history {
        plan.notices.push(NO_HISTORY.into());
    }
    let name = how.shard.map_or("sweep".into(), |(number, of)| format!("shard-{number}-of-{of}"));
    let path = common.out.clone().unwrap_or_else(|| plan.results(&name));
    let mut jobs = plan.jobs();
    if let Some((number, of)) = how.shard {
        jobs = jobs.into_iter().skip(number as usize - 1).step_by(of as usize).collect();
    }
    if how.dry_run {
        return dry_run(plan, common, &jobs, how.shard, &path);
    }
    let header = Header::new(plan.hash(), plan.seeds, how.shard);
    let begun = if how.resume { resume(plan, &path, &header) } else { begin(&path, &header, common.force) };
    let (directory, journal, folded) = match begun {
        Ok(begun) => begun,
        Err(stop) => return stop.say(plan.file),
    };
    let all = jobs.len();
    jobs.retain(|(setting, seed)| !folded.has(plan.loaded.settings[*setting].number, *seed));
    let bar = progress(all, folded.count(), common.quiet);
    let mut under_way =
        UnderWay { plan, directory: &directory, journal, folded, all, bar, listening: Listening::begin() };
    if let Err(stop) = plan.play(jobs, common.jobs, &mut under_way) {
        under_way.bar.finish_and_clear();
        return stop.say(plan.file);
    }
    under_way.bar.finish_and_clear();
    let UnderWay { folded, listening, .. } = under_way;
    drop(listening);
    match how.shard {
        None => finish(plan, common, directory, &folded),
        Some(shard) => finish_shard(plan, common, directory, &header, shard),
    }
}

/// What a sweep begins with: where it goes, its journal, and runs that are there already.
type Begun = (RunDir, Journal, Folded);

fn begin(path: &Path, header: &Header, force: bool) -> Result<Begun, Stop> {
    let may = if force { May::Overwrite } else { May::Begin };
    let directory = RunDir::prepare(path, &header.scenario_hash, may).map_err(Stop::NoOutput)?;
    let place = path.join(journal::NAME);
    if !force && journal::has_runs(&place) {
        let reason = "holds an interrupted sweep; sweep --resume goes on with it, --force begins anew".into();
        return Err(Stop::NoOutput(OutputError { path: path.to_path_buf(), reason }));
    }
    let journal = directory.remove(REPORT).and_then(|()| Journal::begin(&place, header));
    Ok((directory, journal.map_err(Stop::NoOutput)?, Folded::default()))
}

fn resume(plan: &Plan<'_>, path: &Path, header: &Header) -> Result<Begun, Stop> {
    let place = path.join(journal::NAME);
    if !place.is_file() {
        let reason = format!("nothing to resume: {} holds no interrupted sweep", path.display());
        return Err(Stop::BadInput(reason));
    }
    let mut folded = Folded::default();
    let lines = read_journal(plan, &place, header, &mut folded).map_err(Stop::BadInput)?;
    // The journal has said that these are results of the same scenario, whole or not.
    let directory = RunDir::prepare(path, &header.scenario_hash, May::Overwrite).map_err(Stop::NoOutput)?;
    let journal = directory.remove(REPORT).and_then(|()| match &lines {
        Some(lines) => Journal::go_on(&place, lines),
        None => Journal::begin(&place, header),
    });
    Ok((directory, journal.map_err(Stop::NoOutput)?, folded))
}

/// Folds the runs of a journal that must be one of this scenario, program, seeds and shard.
pub(super) fn read_journal(
    plan: &Plan<'_>,
    place: &Path,
    wanted: &Header,
    folded: &mut Folded,
) -> Result<Option<Lines>, String> {
    let check = |found: &Header| match found.differs(wanted) {
        Some(why) => Err(why),
        None if found.shard != wanted.shard => {
            let of = |header: &Header| match header.shard {
                Some((number, of)) => format!("shard {number}/{of}"),
                None => "a whole sweep".into(),
            };
            Err(format!("it is of {}, and not of {}", of(found), of(wanted)))
        }
        None => Ok(()),
    };
    let of = journal::Plan { wanted: &plan.wanted, settings: plan.loaded.settings.len(), seeds: plan.seeds };
    journal::read(place, check, of, |record| folded.add(record))
}

/// A bar on standard error, if a person watches.
fn progress(all: usize, done: usize, quiet: bool) -> ProgressBar {
    if quiet || !is_heard_by_a_person() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} runs, {eta} left");
    let bar = ProgressBar::new(all as u64).with_style(style.expect("the template is well-formed"));
    // Runs of before say nothing about the speed of these.
    bar.set_position(done as u64);
    bar.reset_eta();
    bar.tick();
    bar
}

/// A sweep that is under way.
struct UnderWay<'a> {
    plan: &'a Plan<'a>,
    directory: &'a RunDir,
    journal: Journal,
    folded: Folded,
    all: usize,
    bar: ProgressBar,
    listening: Listening,
}

impl Follower for UnderWay<'_> {
    fn finished(&mut self, record: Record) -> Result<(), OutputError> {
        self.journal.add(&record)?;
        self.folded.add(record);
        self.bar.inc(1);
        Ok(())
    }

    fn glance(&mut self) {
        self.bar.tick();
        if self.listening.is_asked() {
            self.leave();
        }
    }
}

impl UnderWay<'_> {
    /// Writes down how far it has come and ends the program. Runs that are under way are given up.
    fn leave(&self) -> ! {
        self.bar.finish_and_clear();
        let report = files::unfinished(&self.plan.loaded, self.plan.seeds, self.all, &self.folded);
        let written = write_new(&self.directory.path().join(REPORT), report.as_bytes());
        let (done, place) = (self.folded.count(), self.directory.path().display());
        say(&match written {
            Ok(()) => format!(
                "interrupted: {done} of {} runs are done, {place}/{REPORT} has their numbers; \
                 `sweep` with the same arguments and --resume goes on",
                self.all
            ),
            Err(error) => error.to_string(),
        });
        std::process::exit(INTERRUPTED)
    }
}

/// Judges a sweep whose runs are all there, writes its files and prints what came out.
pub(super) fn finish(plan: &Plan<'_>, common: &Common, mut directory: RunDir, folded: &Folded) -> u8 {
    let campaign = folded.campaign();
    let judgements = evaluate(&plan.expectations, &campaign);
    let status = exit_status(&judgements, campaign.runs().iter().any(|run| run.has_broken_step));
    let frontier = frontier(&plan.loaded, folded, plan.seeds);
    let sweep = Sweep {
        loaded: &plan.loaded,
        seeds: plan.seeds,
        folded,
        campaign: &campaign,
        judgements: &judgements,
        frontier: frontier.as_ref(),
        replication: &plan.replication,
        status: match status {
            0 => "held",
            1 => "broken",
            _ => "inconclusive",
        },
        notices: &plan.notices,
    };
    if let Err(error) = write(plan, common, &mut directory, &sweep) {
        say(&error.to_string());
        return NO_OUTPUT;
    }
    if common.quiet {
        return status;
    }
    let printed = match common.format {
        Format::Json => print_data(sweep.summary().as_bytes()),
        Format::Csv => print_data(&sweep.runs()),
        Format::Text => {
            let title = Title {
                name: &plan.loaded.name,
                about: &plan.loaded.about,
                notices: &plan.notices,
                width: terminal_width(),
            };
            let mut asked: Vec<_> = plan.wanted.queries.iter().map(|query| query.metric.clone()).collect();
            asked.dedup();
            let (axes, settings) = (files::axes(&plan.loaded), files::settings(&plan.loaded));
            let text = terminal::sweep(&title, &axes, &settings, &campaign, &judgements, &asked, frontier.as_ref());
            print_styled(&format!("{text}results in {}\n", directory.path().display()))
        }
    };
    if printed == HELD { status } else { printed }
}

fn write(plan: &Plan<'_>, common: &Common, directory: &mut RunDir, sweep: &Sweep<'_>) -> Result<(), OutputError> {
    for (name, bytes) in sweep.files() {
        directory.write(name, &bytes)?;
    }
    directory.write("scenario.json", plan.loaded.text.as_bytes())?;
    let digests: Vec<String> = sweep.campaign.runs().iter().map(|run| format!("{:032x}", run.digest)).collect();
    close(plan, common, directory, None, &digests)
}

/// The manifest, and then nothing is left of the way there.
fn close(
    plan: &Plan<'_>,
    common: &Common,
    directory: &mut RunDir,
    shard: Option<(u32, u32)>,
    digests: &[String],
) -> Result<(), OutputError> {
    let seeds: Vec<u64> = (plan.seeds.0..=plan.seeds.1).collect();
    let manifest = Manifest { scenario_hash: &plan.hash(), set: &common.set, shard, seeds: &seeds, digests };
    directory.finish(&manifest)?;
    directory.remove(journal::NAME)?;
    directory.remove(REPORT)
}

/// A shard is its journal in order, under its final name. What it means is said when all shards are joined.
fn finish_shard(plan: &Plan<'_>, common: &Common, mut directory: RunDir, header: &Header, shard: (u32, u32)) -> u8 {
    let mut folded = Folded::default();
    let place = directory.path().join(journal::NAME);
    let lines = match read_journal(plan, &place, header, &mut folded) {
        Ok(lines) => lines.expect("it has been written"),
        Err(reason) => return Stop::BadInput(reason).say(plan.file),
    };
    let digests: Vec<String> = folded.runs().map(|run| format!("{:032x}", run.kept.digest)).collect();
    let written = directory
        .begin(journal::COMPLETE)
        .and_then(|mut file| {
            let sorted = journal::sorted(&place, &lines, &mut file);
            directory.keep(journal::COMPLETE, sorted.map(|()| file))
        })
        .and_then(|()| directory.write("scenario.json", plan.loaded.text.as_bytes()))
        .and_then(|()| close(plan, common, &mut directory, Some(shard), &digests));
    if let Err(error) = written {
        say(&error.to_string());
        return NO_OUTPUT;
    }
    if common.quiet {
        return HELD;
    }
    let (number, of) = shard;
    let place: PathBuf = directory.path().to_path_buf();
    say(&format!(
        "shard {number} of {of}: {} runs in {}; `merge` joins the {of} shards and judges them",
        digests.len(),
        place.display()
    ));
    HELD
}
