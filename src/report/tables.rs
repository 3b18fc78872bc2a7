//! The CSV files of a run and of a sweep: columns, order and formats.

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use super::play::{Campaign, Kept, step_name};
use super::sweep::statistics::middle;
use crate::check::Judgement;
use crate::cluster::config::RunConfig;
use crate::kernel::math::sqrt;
use crate::kernel::time::Span;
use crate::measure::freshness::Freshness;
use crate::measure::histogram::{Histogram, LARGEST};
use crate::measure::metrics::OpKind;
use crate::measure::number::plain;
use crate::measure::{Measured, Metric};
use crate::network::Class;

const QUANTILES: [f64; 11] = [0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 1.0];

/// Outcomes that latencies are told apart by.
pub(super) const OUTCOMES: [&str; 2] = ["ok", "failed"];

/// The times after an acknowledgement that columns and files hold: 0, 1, 2, 5 … 10 000 ms.
const AFTER_MS: [u64; 14] = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];

/// Steps of a decade at which pairs of a write and a read are told: they know of every time.
const OF_DECADE: [u64; 8] = [10, 12, 15, 20, 30, 40, 50, 70];

/// The times after an acknowledgement of `staleness.csv`.
fn times(freshness: &Freshness) -> Vec<Span> {
    if freshness.pairs() == 0 {
        return AFTER_MS.map(Span::from_ms).to_vec();
    }
    // From 10 us to 10 s.
    let decades = (0..6).scan(1_000, |unit: &mut u64, _| Some(std::mem::replace(unit, *unit * 10)));
    let steps = decades.flat_map(|unit| OF_DECADE.map(|step| Span(unit * step)));
    std::iter::once(Span::ZERO).chain(steps).chain([Span::from_ms(10_000)]).collect()
}

/// Rows of a CSV file as text.
pub(super) fn csv(rows: Vec<Vec<String>>) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).expect("rows of one length are written to memory");
    }
    writer.into_inner().expect("memory does not fail")
}

pub(super) fn texts(fields: &[&str]) -> Vec<String> {
    fields.iter().map(|field| field.to_string()).collect()
}

fn share([part, whole]: [u64; 2]) -> String {
    if whole == 0 { String::new() } else { plain(part as f64 / whole as f64) }
}

/// `timeline.csv`: one row a bucket. `divergent_keys` is how many keys' live replicas differed when the bucket ended; it
/// is empty where nobody compared the replicas.
pub fn timeline(config: &RunConfig, measured: &Measured) -> Vec<u8> {
    let mut header =
        texts(&["at_ms", "ops.rate_per_s", "get.success", "put.success", "get.latency.p99_ms", "put.latency.p99_ms"]);
    header.extend(texts(&["stale.fraction", "hints.pending", "divergent_keys"]));
    header.extend(Class::ALL.iter().map(|class| format!("bytes.{}", class.name())));
    header.push("faults".into());
    let mut rows = vec![header];
    let divergent = measured.judged().map_or(&[][..], |judged| &judged.divergent_by_bucket);
    for (bucket, row) in measured.timeline().iter().enumerate() {
        let seconds = row.to.since(row.at).as_secs();
        let rate = if seconds > 0.0 { plain(row.started as f64 / seconds) } else { String::new() };
        let mut cells = vec![plain(row.at.as_ms()), rate];
        cells.extend(row.ended.map(|[ended, ok]| share([ok, ended])));
        cells.extend(row.p99.map(|p99| p99.map_or(String::new(), |ns| plain(ns as f64 / 1e6))));
        let divergent = divergent.get(bucket).map_or(String::new(), u64::to_string);
        cells.extend([share(row.stale), row.hints_pending.to_string(), divergent]);
        cells.extend(row.bytes.iter().map(u64::to_string));
        cells.push(row.faults.iter().map(|step| step_name(config, *step)).collect::<Vec<_>>().join(" "));
        rows.push(cells);
    }
    csv(rows)
}

/// `latency.csv`: quantiles of each kind of operation and outcome in the window `all`, from the intended start. A
/// quantile without enough samples has an empty cell.
pub fn latency(measured: &Measured) -> Vec<u8> {
    let tally = measured.tally(0, None);
    let mut rows = vec![texts(&["op", "outcome", "quantile", "latency_ms", "samples"])];
    // Kinds have the same order in the vocabulary and in the tally.
    for (kind, op) in OpKind::ALL.iter().enumerate() {
        for (outcome, name) in OUTCOMES.iter().enumerate() {
            let spread = tally.latency(kind, Some(outcome), false);
            if spread.count() == 0 {
                continue;
            }
            for cells in quantiles(&QUANTILES, spread.count(), spread.max(), |q| spread.quantile(q)) {
                rows.push([texts(&[op.word(), name]), cells.to_vec()].concat());
            }
        }
    }
    csv(rows)
}

/// Quantile, latency in milliseconds and number of samples, a row a quantile. One that fewer than 10/(1−q) samples speak
/// for has an empty cell.
pub(super) fn quantiles(
    shares: &[f64],
    count: u64,
    max: u64,
    at: impl Fn(f64) -> u64,
) -> impl Iterator<Item = [String; 3]> {
    shares.iter().map(move |&q| {
        let enough = q == 1.0 || count as f64 * (1.0 - q) >= 10.0 - 1e-6;
        let ns = if q == 1.0 { max } else { at(q) };
        [plain(q), if enough { plain(ns as f64 / 1e6) } else { String::new() }, count.to_string()]
    })
}

/// `latency.hlog`: the same distributions whole, as an HDR interval log in nanoseconds.
pub fn hlog(config: &RunConfig, measured: &Measured) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let from = std::time::Duration::from_nanos(config.warmup.0);
    let to = std::time::Duration::from_nanos(config.duration.unwrap_or(measured.end().ended_at).0);
    let mut builder = IntervalLogWriterBuilder::new();
    builder.add_comment("latency in nanoseconds, from the intended start");
    let mut log = builder.begin_log_with(&mut bytes, &mut serializer).expect("memory does not fail");
    let tally = measured.tally(0, None);
    // Kinds have the same order in the vocabulary and in the tally.
    for (kind, op) in OpKind::ALL.iter().enumerate() {
        for (outcome, name) in OUTCOMES.iter().enumerate() {
            let spread = tally.latency(kind, Some(outcome), false);
            if spread.count() > 0 {
                let histogram = hdr(spread.histogram());
                let tag = format!("{}.{name}", op.word());
                let tag = Tag::new(&tag).expect("names of operations have no comma");
                log.write_histogram(&histogram, from, to.saturating_sub(from), Some(tag))
                    .expect("memory does not fail");
            }
        }
    }
    bytes
}

/// The same cells as an HDR histogram has them, in three digits.
fn hdr(ours: &Histogram<11>) -> hdrhistogram::Histogram<u64> {
    let bounds = hdrhistogram::Histogram::new_with_bounds(1, LARGEST, 3);
    let mut histogram = bounds.expect("1 to an hour in three digits is a valid range");
    for (least, _, count) in ours.cells() {
        histogram.record_n(least, u64::from(count)).expect("the ranges are the same");
    }
    histogram
}

/// The columns of `staleness.csv`.
pub(super) const STALENESS: [&str; 5] = ["after_ms", "fresh", "low", "high", "reads"];

/// `staleness.csv` of a run.
pub fn staleness(measured: &Measured) -> Vec<u8> {
    let mut rows = vec![texts(&STALENESS)];
    rows.extend(freshness_rows(&measured.tally(0, None).freshness));
    csv(rows)
}

/// How reads become fresh, with 95 % intervals after Wilson. Times with fewer than ten reads are left out.
pub(super) fn freshness_rows(freshness: &Freshness) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for after in times(freshness) {
        let [fresh, reads] = freshness.around(after);
        if reads < 10 {
            continue;
        }
        let (low, high) = wilson(fresh, reads);
        let share = fresh as f64 / reads as f64;
        rows.push(vec![plain(after.as_ms()), plain(share), plain(low), plain(high), reads.to_string()]);
    }
    rows
}

/// The 95 % interval of a share (Wilson 1927).
fn wilson(part: u64, whole: u64) -> (f64, f64) {
    const Z: f64 = 1.959_963_984_540_054;
    let (n, p) = (whole as f64, part as f64 / whole as f64);
    let middle = p + Z * Z / (2.0 * n);
    let reach = Z * sqrt(p * (1.0 - p) / n + Z * Z / (4.0 * n * n));
    let scale = 1.0 + Z * Z / n;
    (((middle - reach) / scale).max(0.0), ((middle + reach) / scale).min(1.0))
}

/// One setting of a sweep, as tables name it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SettingRow {
    /// Its number.
    pub number: u32,
    /// The value or label on each axis.
    pub labels: Vec<String>,
}

/// The metrics that any run has, in the order of the vocabulary.
pub fn columns(campaign: &Campaign) -> Vec<Metric> {
    let all = Metric::all();
    let has = |metric: &Metric| campaign.runs().iter().any(|run| run.columns.iter().any(|(known, _)| known == metric));
    all.into_iter().filter(has).collect()
}

/// `runs.csv`: one row a run. What never came about, as `convergence.time`, is `inf` here and in `summary.csv`, and `null`
/// in JSON, which has no such number.
pub fn runs(axes: &[String], settings: &[SettingRow], campaign: &Campaign, judgements: &[Judgement]) -> Vec<u8> {
    let columns = columns(campaign);
    let mut header = begin(axes);
    header.extend(texts(&["seed", "digest", "status"]));
    header.extend(columns.iter().map(Metric::column));
    let mut rows = vec![header];
    for run in campaign.runs() {
        let mut row = vec![run.setting.to_string()];
        row.extend(labels(settings, run.setting, axes.len()));
        row.extend([run.seed.to_string(), format!("{:032x}", run.digest)]);
        row.push(campaign.status(run, judgements).to_string());
        row.extend(columns.iter().map(|metric| run.number(metric).map_or(String::new(), plain)));
        rows.push(row);
    }
    csv(rows)
}

fn labels(settings: &[SettingRow], number: u32, axes: usize) -> Vec<String> {
    let found = settings.iter().find(|setting| setting.number == number);
    found.map_or_else(|| vec![String::new(); axes], |setting| setting.labels.clone())
}

/// `summary.csv`: one row a setting, each metric's median over the seeds and the 95 % interval of the median.
pub fn summary(axes: &[String], settings: &[SettingRow], campaign: &Campaign, judgements: &[Judgement]) -> Vec<u8> {
    let columns = columns(campaign);
    let mut header = begin(axes);
    header.extend(texts(&["seeds", "broken"]));
    header.extend(columns.iter().flat_map(middle_columns));
    let mut rows = vec![header];
    for setting in settings {
        let runs: &[Kept] = campaign.of(setting.number);
        let broken = runs.iter().filter(|run| campaign.status(run, judgements) == "broken").count();
        let mut row = vec![setting.number.to_string()];
        row.extend(setting.labels.iter().cloned());
        row.extend([runs.len().to_string(), broken.to_string()]);
        for metric in &columns {
            let values: Vec<f64> = runs.iter().filter_map(|run| run.number(metric)).collect();
            row.extend(middle_cells(&values));
        }
        rows.push(row);
    }
    csv(rows)
}

/// The columns that say of which setting a row is.
pub(super) fn begin(axes: &[String]) -> Vec<String> {
    std::iter::once("setting".to_string()).chain(axes.iter().cloned()).collect()
}

/// The three columns of a metric where a row is of several seeds.
pub(super) fn middle_columns(metric: &Metric) -> [String; 3] {
    ["", ".low", ".high"].map(|part| format!("{}{part}", metric.column()))
}

/// What stands in them: median and 95 % interval, or nothing.
pub(super) fn middle_cells(values: &[f64]) -> [String; 3] {
    middle(values).map_or_else(Default::default, |middle| [middle.median, middle.low, middle.high].map(plain))
}

/// The 95 % interval of a median by order statistics: it holds whatever the distribution is. With fewer than six values
/// none is that sure, and it is least and greatest.
pub fn median_interval(values: &[f64]) -> (f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let count = sorted.len();
    let below = rank_below(count);
    (sorted[below], sorted[count - 1 - below])
}

/// How many of the least and of the greatest values lie outside: the largest number of heads that a fair coin, thrown
/// once a value, shows or stays below with a chance of at most 2.5 %.
fn rank_below(count: usize) -> usize {
    if count > 1_000 {
        // The normal limit; at a thousand the two agree.
        return (count as f64 / 2.0 - 0.98 * sqrt(count as f64)).floor() as usize;
    }
    let mut term = 1.0;
    for _ in 0..count {
        term /= 2.0;
    }
    let mut chance = 0.0;
    let mut rank = 0;
    for heads in 0..count / 2 {
        chance += term;
        if chance > 0.025 {
            break;
        }
        rank = heads;
        term = term * (count - heads) as f64 / (heads + 1) as f64;
    }
    rank
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_median_is_that_of_the_tables() {
        // Ranks of the 95 % interval for a median: 10 values 2nd to 9th, 20 values 6th to 15th, 50 values 18th to 33rd.
        let ranks = |count: usize| {
            let values: Vec<f64> = (1..=count).map(|value| value as f64).collect();
            median_interval(&values)
        };
        assert_eq!(ranks(1), (1.0, 1.0));
        assert_eq!(ranks(5), (1.0, 5.0));
        assert_eq!(ranks(10), (2.0, 9.0));
        assert_eq!(ranks(20), (6.0, 15.0));
        assert_eq!(ranks(50), (18.0, 33.0));
        assert_eq!(ranks(1_000), (469.0, 532.0));
    }

    #[test]
    fn pairs_are_told_at_times_between() {
        let mut freshness = Freshness::default();
        freshness.record(Span::ZERO, true);
        let mut shown = times(&freshness);
        assert_eq!((shown.len(), shown[1]), (14, Span::from_ms(1)));
        freshness.tried(crate::measure::freshness::Threshold::From(Span::ZERO), 20);
        shown = times(&freshness);
        assert_eq!((shown.len(), shown[1], shown[49]), (50, Span(10_000), Span::from_ms(10_000)));
        assert!(shown.is_sorted() && AFTER_MS.iter().all(|ms| shown.contains(&Span::from_ms(*ms))));
    }

    #[test]
    fn a_share_of_nothing_still_has_an_interval() {
        let (low, high) = wilson(0, 10);
        assert_eq!(low, 0.0);
        assert!((high - 0.277_54).abs() < 1e-4, "{high}");
        let (low, high) = wilson(50, 100);
        assert!((low - 0.403_83).abs() < 1e-4 && (high - 0.596_17).abs() < 1e-4);
    }
}
