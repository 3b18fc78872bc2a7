//! The free parts of a metric's path: which operation, which statistic, how long after.

use crate::kernel::time::Span;

/// A free part of a path.
pub(super) trait PathPart: Sized {
    /// How the reference writes it.
    const PLACE: &'static str;
    fn parse(text: &str) -> Option<Self>;
    fn text(&self) -> String;
    /// The values that files hold.
    fn in_files() -> Vec<Self>;
}

macro_rules! part {
    ($(#[doc = $doc:literal])+ pub enum $name:ident $place:literal { $( $variant:ident = $word:literal ),+ $(,)? }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $( #[doc = $word] $variant, )+ }

        impl $name {
            /// All of them, in the order of results.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// How a path writes it.
            pub const fn word(self) -> &'static str {
                match self { $( $name::$variant => $word, )+ }
            }
        }

        impl PathPart for $name {
            const PLACE: &'static str = $place;
            fn parse(text: &str) -> Option<Self> {
                match text { $( $word => Some($name::$variant), )+ _ => None }
            }
            fn text(&self) -> String {
                self.word().to_string()
            }
            fn in_files() -> Vec<Self> {
                Self::ALL.to_vec()
            }
        }
    };
}

part! {
    /// Which operations.
    pub enum OpKind "<op>" { Get = "get", Put = "put", Update = "update", Delete = "delete", Ops = "ops" }
}
part! {
    /// Which statistic of a distribution.
    pub enum Stat "<stat>" { Mean = "mean", P50 = "p50", P90 = "p90", P99 = "p99", P999 = "p999", P9999 = "p9999", Max = "max" }
}
part! {
    /// Why an operation failed.
    pub enum FailureReason "<reason>" { Timeout = "timeout", TooFewReplicas = "too_few_replicas", NoCoordinator = "no_coordinator", Refused = "refused" }
}
part! {
    /// Which quantile of visibility.
    pub enum VisibilityQuantile "<q>" { P90 = "p90", P99 = "p99", P999 = "p999" }
}
part! {
    /// Which session guarantee.
    pub enum SessionGuarantee "<g>" { ReadYourWrites = "read_your_writes", MonotonicReads = "monotonic_reads", MonotonicWrites = "monotonic_writes", WritesFollowReads = "writes_follow_reads" }
}
part! {
    /// Why an acknowledged write is lost.
    pub enum LossCause "<cause>" {
        LastWriteWins = "last_write_wins", ClockCollision = "clock_collision", Truncation = "truncation", StandInCrash = "stand_in_crash",
        HintExpired = "hint_expired", DiskLoss = "disk_loss", Unflushed = "unflushed", Tombstone = "tombstone", Unexplained = "unexplained",
    }
}
part! {
    /// Load of what.
    pub enum LoadKind "<load>" {
        Load = "load", LoadPerCapacity = "load_per_capacity", Coordinator = "coordinator", Stored = "stored", Ring = "ring", Primary = "primary",
    }
}
part! {
    /// What became of hints.
    pub enum HintCount "<what>" {
        Created = "created", Delivered = "delivered", Expired = "expired", Dropped = "dropped", Lost = "lost", Duplicated = "duplicated", Pending = "pending",
    }
}
part! {
    /// What anti-entropy did.
    pub enum AntiEntropyCount "<what>" { Rounds = "rounds", Hashes = "hashes", Keys = "keys", TreesRebuilt = "trees_rebuilt" }
}
part! {
    /// Which messages.
    pub enum MessageClass "<class>" {
        Foreground = "foreground", Hint = "hint", ReadRepair = "read_repair", AntiEntropy = "anti_entropy", Gossip = "gossip", Transfer = "transfer", All = "all",
    }
}

/// A time after an acknowledgement: T.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct After(pub Span);

impl PathPart for After {
    const PLACE: &'static str = "T";
    fn parse(text: &str) -> Option<Self> {
        parse_span(text).map(After)
    }
    fn text(&self) -> String {
        exact(self.0)
    }
    /// 0, 1, 2, 5 … 10 000 ms.
    fn in_files() -> Vec<Self> {
        [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000].map(|ms| After(Span::from_ms(ms))).to_vec()
    }
}

/// A span without rounding, in the largest unit that keeps it whole, at most seconds; below a
/// millisecond's worth of digits it is written as a decimal of milliseconds.
fn exact(span: Span) -> String {
    match span.0 {
        0 => "0s".into(),
        ns if ns % 1_000_000_000 == 0 => format!("{}s", ns / 1_000_000_000),
        ns => {
            let decimals = format!("{:06}", ns % 1_000_000);
            let decimals = decimals.trim_end_matches('0');
            let point = if decimals.is_empty() { "" } else { "." };
            format!("{}{point}{decimals}ms", ns / 1_000_000)
        }
    }
}

/// The duration that a path spells: a decimal and a unit, a whole number of nanoseconds.
fn parse_span(text: &str) -> Option<Span> {
    const UNITS: [(&str, u128); 7] = [
        ("ns", 1),
        ("us", 1_000),
        ("ms", 1_000_000),
        ("min", 60_000_000_000),
        ("s", 1_000_000_000),
        ("h", 3_600_000_000_000),
        ("d", 86_400_000_000_000),
    ];
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let unit = UNITS.iter().find(|(name, _)| *name == &text[end..])?.1;
    let (whole, decimals) = text[..end].split_once('.').unwrap_or((&text[..end], ""));
    if whole.is_empty() || whole.len() + decimals.len() > 19 || decimals.contains('.') {
        return None;
    }
    let digits: u128 = format!("{whole}{decimals}").parse().ok()?;
    let scale = 10u128.checked_pow(decimals.len() as u32)?;
    let ns = digits.checked_mul(unit)?;
    let ns = (ns % scale == 0).then_some(ns / scale)?;
    (ns <= u128::from(Span::MAX.0)).then_some(Span(ns as u64))
}

/// A number of versions: K.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Versions(pub u32);

impl PathPart for Versions {
    const PLACE: &'static str = "K";
    fn parse(text: &str) -> Option<Self> {
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok().map(Versions)).flatten()
    }
    fn text(&self) -> String {
        self.0.to_string()
    }
    fn in_files() -> Vec<Self> {
        (1..=4).map(Versions).collect()
    }
}

/// A rare state that a run can reach. The list of them belongs to what runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MarkName(pub String);

impl PathPart for MarkName {
    const PLACE: &'static str = "<mark>";
    fn parse(text: &str) -> Option<Self> {
        let begins = text.starts_with(|first: char| first.is_ascii_alphabetic());
        let rest = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        (begins && rest && text.len() <= 64).then(|| MarkName(text.to_string()))
    }
    fn text(&self) -> String {
        self.0.clone()
    }
    fn in_files() -> Vec<Self> {
        Vec::new()
    }
}

/// The parts of `text` that stand where `pattern` has `{}`.
pub(super) fn match_pattern<'a>(pattern: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let mut literals = pattern.split("{}");
    let mut rest = text.strip_prefix(literals.next()?)?;
    let mut parts = Vec::new();
    let literals: Vec<&str> = literals.collect();
    for (at, literal) in literals.iter().enumerate() {
        let last = at + 1 == literals.len();
        let end = if last { rest.len().checked_sub(literal.len())? } else { rest.find(literal)? };
        if !rest.get(end..)?.starts_with(literal) {
            return None;
        }
        parts.push(&rest[..end]);
        rest = &rest[end + literal.len()..];
    }
    rest.is_empty().then_some(parts)
}
