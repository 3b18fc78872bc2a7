//! `trace` and `replay`: one run of a scenario, event by event or as a whole.

use std::io::Write;

use clap::ValueEnum;

use super::campaign::config_of;
use super::load;
use super::out::{print_styled, say, terminal_width, written};
use super::verify::{self, Twin};
use super::{BAD_INPUT, BROKEN, HELD, assignment};
use crate::check::{evaluate, exit_status};
use crate::cluster::Simulation;
use crate::cluster::config::{Action, RunConfig};
use crate::history::Observer;
use crate::kernel::time::SimTime;
use crate::report::terminal::{self, Title};
use crate::report::trace::{Asked, Kind, Lines, Style, Trace};
use crate::report::{Campaign, Wanted, expect, play};
use crate::scenario::errors::suggestion;
use crate::scenario::scalars::parse_duration;
use crate::scenario::source::Source;
use crate::scenario::swarm;
use crate::scenario::sweep::describe;
use crate::scenario::{Loaded, Setting, numbers};

/// One run of a scenario.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// Scenario file; `-` is standard input. With --chaos and without a file: the built-in profile of `check`
    #[arg(
        required_unless_present = "chaos",
        default_value_if("chaos", "true", swarm::BUILT_IN),
        default_value = "",
        hide_default_value = true
    )]
    file: String,
    /// With the faults and the setting that `check` draws for this seed
    #[arg(long)]
    pub chaos: bool,
    /// The seed, instead of the scenario's first
    #[arg(long, value_name = "N", value_parser = numbers::parse_seed)]
    seed: Option<u64>,
    /// The setting of the sweep, counted from 0
    #[arg(long, value_name = "N")]
    setting: Option<u32>,
    /// The setting by the value of an axis; may be given several times
    #[arg(long = "where", value_name = "AXIS=VALUE", value_parser = assignment)]
    place: Vec<(String, String)>,
    /// Override one field; may be given several times
    #[arg(long, value_name = "PATH=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,
}

/// How a trace is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum TraceFormat {
    /// For people
    Text,
    /// An object a line
    Json,
}

/// Arguments of `trace`.
#[derive(Debug, clap::Args)]
pub(super) struct TraceArguments {
    #[command(flatten)]
    which: Which,
    /// Only what concerns this key; may be given several times
    #[arg(long, value_name = "KEY")]
    key: Vec<String>,
    /// Only what this node does or what is done to it; may be given several times
    #[arg(long, value_name = "NODE")]
    node: Vec<String>,
    /// Only this operation: a step's name, or like `users/2#17`; may be given several times
    #[arg(long, value_name = "OP")]
    op: Vec<String>,
    /// From this time of the run on, like `1500ms`
    #[arg(long, value_name = "TIME", value_parser = instant)]
    from: Option<SimTime>,
    /// Up to this time
    #[arg(long, value_name = "TIME", value_parser = instant)]
    to: Option<SimTime>,
    /// Only lines of these kinds
    #[arg(long, value_name = "KIND,…", value_delimiter = ',', value_parser = kind)]
    kind: Vec<Kind>,
    /// Also the background (gossip, probes, anti-entropy, transfer) and each message's arrival
    #[arg(long)]
    all: bool,
    /// What standard output gets
    #[arg(long, value_enum, default_value_t = TraceFormat::Text)]
    format: TraceFormat,
}

/// Arguments of `replay`.
#[derive(Debug, clap::Args)]
pub(super) struct ReplayArguments {
    #[command(flatten)]
    which: Which,
    /// The digest that the run must have
    #[arg(long, value_name = "HEX", value_parser = digest)]
    expect_digest: Option<u128>,
    /// Play the run in two processes at once and compare them event by event
    #[arg(long)]
    verify: bool,
    /// The other process of a verification: stream a line an event
    #[arg(long, hide = true)]
    stream: bool,
    /// A seed for the other process alone, so that a test sees a difference
    #[arg(long, value_name = "N", hide = true, requires = "verify")]
    other_seed: Option<u64>,
}

fn instant(text: &str) -> Result<SimTime, String> {
    parse_duration(text).map(|span| SimTime::ZERO + span)
}

fn kind(text: &str) -> Result<Kind, String> {
    let names = Kind::ALL.iter().map(|kind| kind.name());
    let found = Kind::ALL.iter().find(|kind| kind.name() == text);
    found.copied().ok_or_else(|| format!("no such kind{}", suggestion(text, names)))
}

fn digest(text: &str) -> Result<u128, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let is_hex = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hex.then(|| u128::from_str_radix(digits, 16).ok()).flatten().ok_or_else(|| "needs 32 hexadecimal digits".into())
}

/// A run that was chosen.
pub(super) struct Chosen {
    pub source: Box<dyn Source>,
    pub loaded: Loaded,
    /// Place of the setting in the list.
    pub at: usize,
    pub seed: u64,
    config: RunConfig,
    notices: Vec<String>,
}

impl Which {
    /// Finds the run, or says why there is none.
    pub fn choose(&self) -> Option<Chosen> {
        let source = load::open(&self.file)?;
        let (loaded, drawn) = match self.chaos {
            true => {
                let (loaded, seed) = load::drawn_from(&*source, &self.set, self.seed)?;
                (loaded, Some(seed))
            }
            false => (load::from(&*source, &self.set)?, None),
        };
        let complain = |reason: String| say(&format!("{}: {reason}", source.name()));
        let at = self.setting_of(&loaded).map_err(complain).ok()?;
        let seed = drawn.or(self.seed).unwrap_or_else(|| loaded.base.sweep.seeds.bounds(loaded.base.seed.0).0);
        let (config, more) = config_of(&loaded, at, seed).map_err(complain).ok()?;
        let own = &loaded.settings[at].notices;
        let notices = loaded.notices.iter().chain(own).chain(&more).cloned().collect();
        Some(Chosen { source, at, seed, config, notices, loaded })
    }

    /// The place of the one setting that is meant.
    fn setting_of(&self, loaded: &Loaded) -> Result<usize, String> {
        let settings = &loaded.settings;
        if let Some(number) = self.setting {
            let at = settings.iter().position(|setting| setting.number == number);
            let last = settings.last().map_or(0, |setting| setting.number);
            let at = at.ok_or_else(|| format!("no setting {number} (allowed 0 to {last})"))?;
            let fits = self.place.iter().all(|(axis, value)| is_at(&settings[at], axis, value));
            return if fits { Ok(at) } else { Err(format!("setting {number} is not where --where says")) };
        }
        for (axis, value) in &self.place {
            let axes = settings[0].values.iter().map(|value| value.axis.as_str());
            if !axes.clone().any(|known| known == axis) {
                return Err(format!("unknown axis {axis:?}{}", suggestion(axis, axes)));
            }
            if !settings.iter().any(|setting| is_at(setting, axis, value)) {
                let of_axis = settings.iter().flat_map(|setting| &setting.values).filter(|value| value.axis == *axis);
                let mut labels: Vec<String> = Vec::new();
                for value in of_axis {
                    if !labels.contains(&value.value.label()) {
                        labels.push(value.value.label());
                    }
                }
                return Err(format!(
                    "no point {value:?} of {axis}{}",
                    suggestion(value, labels.iter().map(String::as_str))
                ));
            }
        }
        let fits = |setting: &&Setting| self.place.iter().all(|(axis, value)| is_at(setting, axis, value));
        let left: Vec<&Setting> = settings.iter().filter(fits).collect();
        match left.as_slice() {
            [] => Err("no setting is where --where says".into()),
            [one] => Ok(settings.iter().position(|setting| setting.number == one.number).expect("it is one of them")),
            many => {
                const SHOWN: usize = 12;
                let each = many.iter().take(SHOWN);
                let mut text = format!("{} settings; choose one with --setting or --where:", many.len());
                for setting in each {
                    text.push_str(&format!("\n  --setting {}  {}", setting.number, describe(&setting.values)));
                }
                if many.len() > SHOWN {
                    text.push_str(&format!("\n  … and {} more", many.len() - SHOWN));
                }
                Err(text)
            }
        }
    }
}

/// Whether a setting is at this point of an axis.
fn is_at(setting: &Setting, axis: &str, value: &str) -> bool {
    setting.values.iter().any(|at| at.axis == axis && at.value.label() == value)
}

/// Whether nothing ever happens in a run: nobody asks, and the script only looks.
fn is_still(config: &RunConfig) -> bool {
    config.groups.is_empty()
        && config.duration.is_none()
        && config.steps.iter().all(|step| matches!(step.action, Action::Inspect(_)))
}

/// Prints a run event by event.
pub(super) fn trace(arguments: &TraceArguments) -> u8 {
    let TraceArguments { key, node, op, from, to, kind, all, format, .. } = arguments;
    if let (Some(from), Some(to)) = (from, to)
        && from > to
    {
        say(&format!("--from {from} is after --to {to}"));
        return BAD_INPUT;
    }
    let Some(chosen) = arguments.which.choose() else { return BAD_INPUT };
    let asked = Asked {
        keys: key.clone(),
        nodes: node.clone(),
        ops: op.clone(),
        kinds: kind.clone(),
        from: *from,
        to: *to,
        all: *all,
    };
    let style = match format {
        TraceFormat::Text => Style::Text,
        TraceFormat::Json => Style::Json,
    };
    let lines = Lines::default();
    let mut trace = match Trace::new(&chosen.config, &asked, style, &lines) {
        Ok(trace) => trace,
        Err(reason) => {
            say(&format!("{}: {reason}", chosen.source.name()));
            return BAD_INPUT;
        }
    };
    if is_still(&chosen.config) {
        say(&format!("{}: there is nothing to play: no clients, and a script that only looks", chosen.source.name()));
        return HELD;
    }
    let mut out = Printer { out: std::io::BufWriter::new(std::io::stdout().lock()), lines, printed: 0 };
    let played = {
        let mut observers: [&mut dyn Observer; 1] = [&mut trace];
        let mut simulation = Simulation::new(&chosen.config, &mut observers);
        let until = to.unwrap_or(SimTime::MAX);
        let played = out.print_while(|| simulation.now() <= until && simulation.step());
        // A run that somebody cut short has no name.
        played.map(|()| (simulation.now() <= until).then(|| simulation.finish()))
    };
    let status = match played {
        Ok(end) => {
            trace.finish(end.as_ref());
            written(out.print_while(|| false).and_then(|()| out.out.flush()))
        }
        Err(error) => written(Err(error)),
    };
    if status == HELD && out.printed == 0 {
        say(&format!("{}: nothing of that kind happens in this run", chosen.source.name()));
    }
    status
}

/// Prints lines as they come.
struct Printer<W: Write> {
    out: W,
    lines: Lines,
    printed: u64,
}

impl<W: Write> Printer<W> {
    /// Prints what waits, as long as there is more.
    fn print_while(&mut self, mut more: impl FnMut() -> bool) -> std::io::Result<()> {
        loop {
            while let Some(line) = self.lines.take() {
                writeln!(self.out, "{line}")?;
                self.printed += 1;
            }
            if !more() {
                return Ok(());
            }
        }
    }
}

/// Plays one run again.
pub(super) fn replay(arguments: &ReplayArguments) -> u8 {
    let Some(chosen) = arguments.which.choose() else { return BAD_INPUT };
    if arguments.stream {
        return verify::stream(&chosen.config);
    }
    if arguments.verify {
        let twin = Twin {
            file: &arguments.which.file,
            chaos: arguments.which.chaos,
            text: chosen.source.text(),
            seed: arguments.other_seed.unwrap_or(chosen.seed),
            setting: chosen.loaded.settings[chosen.at].number,
            set: &arguments.which.set,
        };
        let (status, digest) = verify::verify(&chosen.config, &twin);
        return digest.map_or(status, |digest| compare(arguments.expect_digest, digest).unwrap_or(status));
    }
    let expectations = match expect::expectations(&chosen.loaded) {
        Ok(expectations) => expectations,
        Err(reason) => {
            say(&format!("{}: {reason}", chosen.source.name()));
            return BAD_INPUT;
        }
    };
    let setting = chosen.loaded.settings[chosen.at].number;
    let run = play(&chosen.config, setting, &Wanted::of(&expectations), true);
    let mut judgements = evaluate(&expectations, &Campaign::new(vec![run.kept()]));
    judgements.retain(|judgement| judgement.setting == setting);
    let title = Title {
        name: &chosen.loaded.name,
        about: &chosen.loaded.about,
        notices: &chosen.notices,
        width: terminal_width(),
    };
    let properties = expect::looked_at(&chosen.loaded, &expectations, &run);
    let printed = print_styled(&terminal::run(&title, &chosen.config, &run, &judgements, &properties));
    if printed != HELD {
        return printed;
    }
    let as_expected = arguments.expect_digest.map(|_| HELD);
    compare(arguments.expect_digest, run.end.digest)
        .or(as_expected)
        .unwrap_or_else(|| exit_status(&judgements, run.has_broken_step()))
}

/// The status if a digest is not the expected one.
fn compare(expected: Option<u128>, digest: u128) -> Option<u8> {
    let expected = expected.filter(|expected| *expected != digest)?;
    say(&format!("the digest is {digest:032x}, expected was {expected:032x}"));
    Some(BROKEN)
}
