//! Exact decimal numbers: what a scenario says is never rounded on its way to whole nanoseconds.

/// A decimal number without sign: `digits / 10^scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    /// All digits, the point left out.
    pub digits: u128,
    /// How many of them stand behind the point.
    pub scale: u32,
}

/// Why a decimal is no whole number of units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inexact {
    /// A part of a unit remains.
    Fraction,
    /// More than 2^128 units.
    TooMany,
}

impl Decimal {
    /// Splits a text into a leading decimal number and the rest: `"1.5ms"` into 1.5 and `ms`.
    ///
    /// `None` if there is no digit before the point, none behind it, or more than 38 digits.
    pub fn split(text: &str) -> Option<(Decimal, &str)> {
        let digits_of = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let whole = digits_of(text);
        if whole == 0 {
            return None;
        }
        let (mut fraction, mut rest) = ("", &text[whole..]);
        if let Some(behind) = rest.strip_prefix('.') {
            let length = digits_of(behind);
            if length == 0 {
                return None;
            }
            (fraction, rest) = behind.split_at(length);
        }
        let fraction = fraction.trim_end_matches('0');
        let mut digits: u128 = 0;
        for digit in text[..whole].bytes().chain(fraction.bytes()) {
            digits = digits.checked_mul(10)?.checked_add(u128::from(digit - b'0'))?;
        }
        Some((Decimal { digits, scale: fraction.len() as u32 }, rest))
    }

    /// The number times `unit`, if that is whole.
    pub fn times(self, unit: u128) -> Result<u128, Inexact> {
        let product = self.digits.checked_mul(unit).ok_or(Inexact::TooMany)?;
        let divisor = 10u128.checked_pow(self.scale).ok_or(Inexact::Fraction)?;
        if product % divisor == 0 { Ok(product / divisor) } else { Err(Inexact::Fraction) }
    }

    /// The nearest floating-point number.
    pub fn to_f64(self) -> f64 {
        format!("{}e-{}", self.digits, self.scale).parse().expect("digits and an exponent are a number")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        let (number, unit) = Decimal::split("0.1ms").expect("a decimal");
        assert_eq!((number.times(1_000_000), unit), (Ok(100_000), "ms"));
        assert_eq!(Decimal::split("2302.6us").map(|(n, _)| n.times(1_000)), Some(Ok(2_302_600)));
        assert_eq!(Decimal::split("0.5ns").map(|(n, _)| n.times(1)), Some(Err(Inexact::Fraction)));
        assert_eq!(Decimal::split("1.50").map(|(n, _)| n.to_f64()), Some(1.5));
        for bad in ["", ".5s", "5.s", "-1s", "+1s", "abc"] {
            assert!(Decimal::split(bad).is_none() || bad.starts_with('5'), "{bad:?}");
        }
        assert_eq!(Decimal::split("5.s"), None);
        assert_eq!(Decimal::split(&"9".repeat(40)), None);
    }
}
