//! Axes: where values are placed, which ticks there are and how they are written.

use crate::kernel::math::{log10, pow};
use crate::report::figure::{Axis, Form, Scale};

/// What is kept free of an axis, in pixels.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Room {
    /// Before the least value.
    pub before: f64,
    /// After the greatest value.
    pub after: f64,
    /// For the place of zeros of a logarithmic axis: they are in its middle.
    pub zeros: f64,
}

/// An axis on the picture.
#[derive(Clone, PartialEq, Debug)]
pub struct Ruler {
    kind: Kind,
    /// Where the least value is.
    begin: f64,
    /// Where the greatest value is.
    end: f64,
    /// Where zeros of a logarithmic axis are.
    zero: Option<f64>,
    form: Form,
    /// Whether all values are whole: then there are no ticks between.
    whole: bool,
}

#[derive(Clone, PartialEq, Debug)]
enum Kind {
    Linear { least: f64, most: f64 },
    Log { least: f64, most: f64 },
    Names(Vec<String>),
}

/// A tick: where, and what is written there; grid lines between ticks have no text.
#[derive(Clone, PartialEq, Debug)]
pub struct Tick {
    /// In pixels.
    pub at: f64,
    /// Empty for a line of the grid only.
    pub text: String,
}

impl Ruler {
    /// For the values on an axis, from one place to another in pixels.
    pub fn new(axis: &Axis, values: &[f64], from: f64, to: f64, room: Room) -> Ruler {
        let finite = || values.iter().copied().filter(|value| value.is_finite());
        let toward = if to > from { 1.0 } else { -1.0 };
        let (mut begin, end) = (from + toward * room.before, to - toward * room.after);
        let mut zero = None;
        let kind = match &axis.scale {
            Scale::Names(names) => Kind::Names(names.clone()),
            Scale::Linear => {
                let (least, most) = linear_ends(axis, finite());
                Kind::Linear { least, most }
            }
            Scale::Log => {
                if finite().any(|value| value <= 0.0) {
                    zero = Some(from + toward * room.zeros / 2.0);
                    begin = from + toward * (room.zeros + room.before);
                }
                let (least, most) = log_ends(axis, finite().filter(|value| *value > 0.0));
                Kind::Log { least, most }
            }
        };
        let whole = axis.form == Form::Plain && finite().all(|value| value.fract() == 0.0);
        Ruler { kind, begin, end, zero, form: axis.form, whole }
    }

    /// Where a value is. What lies outside the axis is at its end.
    pub fn place(&self, value: f64) -> f64 {
        if value.is_nan() {
            return self.begin;
        }
        let share = match &self.kind {
            Kind::Linear { least, most } => (value - least) / (most - least),
            Kind::Log { .. } if value <= 0.0 => return self.zero.unwrap_or(self.begin),
            Kind::Log { least, most } => decades(*least, value) / decades(*least, *most),
            Kind::Names(names) => (value + 0.5) / names.len().max(1) as f64,
        };
        self.begin + (self.end - self.begin) * share.clamp(0.0, 1.0)
    }

    /// Where the axis is broken between zeros and the least value.
    pub fn gap(&self) -> Option<f64> {
        self.zero.map(|zero| zero + (self.begin - zero) * 0.8)
    }

    /// Width of a name's place in pixels; nothing on axes of numbers.
    pub fn name_width(&self) -> Option<f64> {
        match &self.kind {
            Kind::Names(names) => Some((self.end - self.begin).abs() / names.len().max(1) as f64),
            _ => None,
        }
    }

    /// Ticks at least about `apart` pixels from each other.
    pub fn ticks(&self, apart: f64) -> Vec<Tick> {
        let length = (self.end - self.begin).abs();
        let mut ticks = match &self.kind {
            Kind::Names(names) => {
                let every = (apart * names.len() as f64 / length.max(1.0)).ceil().max(1.0) as usize;
                let named = names.iter().enumerate().step_by(every);
                named.map(|(at, name)| Tick { at: self.place(at as f64), text: name.clone() }).collect()
            }
            Kind::Linear { least, most } => self.linear_ticks(*least, *most, (length / apart).max(1.0)),
            Kind::Log { least, most } => self.log_ticks(*least, *most, length, apart),
        };
        if let Some(at) = self.zero {
            ticks.insert(0, Tick { at, text: written(0.0, self.form, 0.0) });
        }
        ticks
    }

    fn linear_ticks(&self, least: f64, most: f64, most_ticks: f64) -> Vec<Tick> {
        let step = nice_step((most - least) / most_ticks);
        let step = if self.whole { step.max(1.0) } else { step };
        let (first, last) = ((least / step - 1e-9).ceil(), (most / step + 1e-9).floor());
        let count = (last - first).clamp(-1.0, 1000.0) as i64;
        let value = |number: i64| (first + number as f64) * step;
        (0..=count)
            .map(|number| Tick { at: self.place(value(number)), text: written(value(number), self.form, step) })
            .collect()
    }

    fn log_ticks(&self, least: f64, most: f64, length: f64, apart: f64) -> Vec<Tick> {
        let decades = decades(least, most);
        let per_decade = length / decades;
        let (first, last) = (log10(least).floor() as i32, log10(most).ceil() as i32);
        let factors: &[i32] = match per_decade / apart {
            12.0.. => &[1, 2, 3, 4, 5, 6, 7, 8, 9],
            6.0.. => &[1, 2, 3, 5, 7],
            3.4.. => &[1, 2, 5],
            _ => &[1],
        };
        let is_inside = |value: f64| value >= least * (1.0 - 1e-9) && value <= most * (1.0 + 1e-9);
        let every = (apart / per_decade).ceil().max(1.0) as i32;
        let mut ticks = Vec::new();
        for power in first..=last {
            let unit = pow(10.0, f64::from(power));
            for factor in 1..10 {
                let value = f64::from(factor) * unit;
                if !is_inside(value) {
                    continue;
                }
                let is_named = factors.contains(&factor) && power.rem_euclid(every) == 0;
                if is_named || per_decade > 60.0 {
                    let text = if is_named { written(value, self.form, value) } else { String::new() };
                    ticks.push(Tick { at: self.place(value), text });
                }
            }
        }
        // Less than a decade may hold too few of these.
        let named = ticks.iter().filter(|tick| !tick.text.is_empty()).count();
        if named < 2 || decades < 0.7 {
            let ticks = self.linear_ticks(least, most, (length / apart).clamp(1.0, 6.0));
            // A step of one may be too long for what is left.
            return if ticks.len() > 1 {
                ticks
            } else {
                Ruler { whole: false, ..self.clone() }.linear_ticks(least, most, 3.0)
            };
        }
        ticks
    }
}

/// How many powers of ten are between two values.
fn decades(from: f64, to: f64) -> f64 {
    // Not of the quotient, which may be infinite.
    log10(to) - log10(from)
}

/// Ends of a linear axis: those that are asked for, else a little beyond the values.
fn linear_ends(axis: &Axis, values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let (mut least, mut most) = ends(values, (0.0, 1.0));
    least = axis.least.filter(|end| end.is_finite()).unwrap_or(least);
    most = axis.most.filter(|end| end.is_finite()).unwrap_or(most);
    if most <= least {
        // All values are one: it is seen in the middle, or below a bound.
        let around = (most.abs() * 0.05).max(if axis.form == Form::Percent { 0.01 } else { 0.5 });
        match (axis.least, axis.most) {
            (_, Some(_)) => least = most - around,
            (Some(_), _) => most = least + around,
            _ => (least, most) = (least - around, most + around),
        }
    }
    let beyond = (most - least) * 0.04;
    (if axis.least.is_some() { least } else { least - beyond }, if axis.most.is_some() { most } else { most + beyond })
}

/// Ends of a logarithmic axis, both above 0.
fn log_ends(axis: &Axis, values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let (least, most) = ends(values, (1.0, 10.0));
    let asked = |end: Option<f64>| end.filter(|end| end.is_finite() && *end > 0.0);
    let (least, most) = (asked(axis.least).unwrap_or(least), asked(axis.most).unwrap_or(most));
    // Doubled or with a margin, an end must still be a number that has ticks.
    let (least, most) = (least.clamp(1e-300, 1e300), most.clamp(1e-300, 1e300));
    if most > least { (least, most) } else { (least / 2.0, least * 2.0) }
}

fn ends(values: impl Iterator<Item = f64> + Clone, none: (f64, f64)) -> (f64, f64) {
    let least = values.clone().fold(f64::INFINITY, f64::min);
    let most = values.fold(f64::NEG_INFINITY, f64::max);
    if least.is_finite() && most.is_finite() { (least, most) } else { none }
}

/// The least of 1, 2, 5, 10 … times a power of ten that is not below.
pub fn nice_step(least: f64) -> f64 {
    if !(least.is_finite() && least > 0.0) {
        return 1.0;
    }
    let unit = pow(10.0, log10(least).floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * unit >= least * (1.0 - 1e-9)).unwrap_or(10.0);
    factor * unit
}

/// A value in as many digits as ticks a step apart need.
pub fn written(value: f64, form: Form, step: f64) -> String {
    let (value, step, sign) = match form {
        Form::Plain => (value, step, ""),
        Form::Percent => (value * 100.0, step * 100.0, "%"),
    };
    let step = step.abs();
    let decimals = if step > 0.0 && step < 1.0 { (-(log10(step) + 1e-9).floor()).clamp(0.0, 9.0) as usize } else { 0 };
    let text = format!("{:.*}", decimals, value.abs());
    let (whole, rest) = text.split_once('.').map_or((text.as_str(), ""), |(whole, rest)| (whole, rest));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let minus = if value < 0.0 && text.chars().any(|c| ('1'..='9').contains(&c)) { "−" } else { "" };
    let point = if rest.is_empty() { "" } else { "." };
    format!("{minus}{grouped}{point}{rest}{sign}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_ROOM: Room = Room { before: 0.0, after: 0.0, zeros: 0.0 };
    const ROOM: Room = Room { before: 0.0, after: 0.0, zeros: 40.0 };

    fn axis(scale: Scale, form: Form) -> Axis {
        Axis { label: String::new(), scale, form, least: None, most: None }
    }

    fn texts(ruler: &Ruler, apart: f64) -> Vec<String> {
        ruler.ticks(apart).into_iter().map(|tick| tick.text).filter(|text| !text.is_empty()).collect()
    }

    #[test]
    fn linear_ticks_are_ones_twos_and_fives() {
        assert_eq!([0.3, 1.0, 1.1, 2.1, 5.1, 0.02].map(nice_step), [0.5, 1.0, 2.0, 5.0, 10.0, 0.02]);
        let ruler = Ruler::new(&axis(Scale::Linear, Form::Plain), &[0.0, 10.0], 0.0, 500.0, NO_ROOM);
        assert_eq!(texts(&ruler, 100.0), ["0", "5", "10"], "five steps of 2.16 would be too near");
        assert_eq!(texts(&ruler, 90.0), ["0", "2", "4", "6", "8", "10"]);
    }

    #[test]
    fn logarithmic_ticks_are_decades_and_more_where_there_is_room() {
        let ruler = Ruler::new(&axis(Scale::Log, Form::Plain), &[1.0, 1000.0], 0.0, 300.0, NO_ROOM);
        assert_eq!(texts(&ruler, 50.0), ["1", "10", "100", "1,000"]);
        assert_eq!(ruler.place(10.0).round(), 100.0);
        let ruler = Ruler::new(&axis(Scale::Log, Form::Plain), &[1.0, 100.0], 0.0, 500.0, NO_ROOM);
        assert_eq!(texts(&ruler, 50.0), ["1", "2", "5", "10", "20", "50", "100"]);
        let ruler = Ruler::new(&axis(Scale::Log, Form::Percent), &[0.0001, 1.0], 400.0, 0.0, ROOM);
        assert_eq!(texts(&ruler, 40.0), ["0.01%", "0.1%", "1%", "10%", "100%"]);
        let ruler = Ruler::new(&axis(Scale::Log, Form::Plain), &[11.0, 14.0], 0.0, 400.0, NO_ROOM);
        assert_eq!(texts(&ruler, 100.0), ["11", "12", "13", "14"]);
    }

    #[test]
    fn whole_numbers_have_no_ticks_between() {
        let ruler = Ruler::new(&axis(Scale::Linear, Form::Plain), &[1.0, 3.0], 0.0, 800.0, NO_ROOM);
        assert_eq!(texts(&ruler, 80.0), ["1", "2", "3"]);
        let ruler = Ruler::new(&axis(Scale::Linear, Form::Plain), &[1.0, 2.5], 0.0, 500.0, NO_ROOM);
        assert_eq!(texts(&ruler, 80.0), ["1.0", "1.5", "2.0", "2.5"]);
    }

    #[test]
    fn zeros_of_a_logarithmic_axis_have_a_place_of_their_own() {
        let ruler = Ruler::new(&axis(Scale::Log, Form::Percent), &[0.0, 0.01, 1.0], 400.0, 0.0, ROOM);
        assert_eq!(ruler.place(0.0), 380.0);
        assert_eq!(ruler.place(0.01), 360.0);
        assert_eq!(ruler.place(1.0), 0.0);
        assert_eq!(texts(&ruler, 40.0)[0], "0%");
        assert_eq!(ruler.gap(), Some(364.0));
        let without = Ruler::new(&axis(Scale::Log, Form::Percent), &[0.01, 1.0], 400.0, 0.0, ROOM);
        assert_eq!((without.gap(), without.place(0.01)), (None, 400.0));
    }

    #[test]
    fn odd_values_have_a_place() {
        for scale in [Scale::Linear, Scale::Log] {
            for values in [
                &[][..],
                &[5.0],
                &[0.0],
                &[0.0, 0.0],
                &[f64::NAN],
                &[f64::INFINITY, 1.0],
                &[-3.0, 2.0],
                &[1e300, 1e-300],
            ] {
                let ruler = Ruler::new(&axis(scale.clone(), Form::Plain), values, 0.0, 400.0, ROOM);
                let place = ruler.place(values.first().copied().filter(|v| v.is_finite()).unwrap_or(1.0));
                assert!((0.0..=400.0).contains(&place), "{scale:?} {values:?}: {place}");
                assert!(ruler.ticks(60.0).len() < 1100, "{scale:?} {values:?}");
            }
        }
    }

    #[test]
    fn numbers_have_the_digits_they_need() {
        assert_eq!(written(1234567.0, Form::Plain, 1.0), "1,234,567");
        assert_eq!(written(0.25, Form::Plain, 0.05), "0.25");
        assert_eq!(written(0.962, Form::Percent, 0.002), "96.2%");
        assert_eq!(written(-2.5, Form::Plain, 0.5), "−2.5");
        assert_eq!(written(-1e-12, Form::Plain, 0.5), "0.0");
        assert_eq!(written(0.0001, Form::Percent, 0.0001), "0.01%");
    }
}
