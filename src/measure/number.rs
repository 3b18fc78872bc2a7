//! How a number is written, in files and in sentences: the same digits everywhere.

/// Up to six decimals, without trailing zeros; no exponent, no negative zero. What never came is `inf`.
pub fn plain(value: f64) -> String {
    if value == f64::INFINITY {
        return "inf".to_string();
    }
    if !value.is_finite() {
        return String::new();
    }
    let text = format!("{value:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_string() } else { text.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_six_decimals_at_most() {
        let written = [1.713204, 0.5, 110_021.0, 1.0 / 3.0, -1e-9, 1e-7, 100.0, 0.0].map(plain);
        assert_eq!(written, ["1.713204", "0.5", "110021", "0.333333", "0", "0", "100", "0"]);
        assert_eq!(plain(f64::INFINITY), "inf");
        assert_eq!(plain(f64::NAN), "", "what is not a number is no number in a file");
    }
}
