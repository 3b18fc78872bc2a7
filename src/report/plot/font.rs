//! The one font of all figures, and how wide a text is in it.
//!
//! It lies in the program, so that figures look the same on every machine; `DejaVuSans-LICENSE.txt` says who made it.

use ab_glyph::{Font, FontRef, GlyphId};

const BYTES: &[u8] = include_bytes!("DejaVuSans-subset.ttf");

/// The font.
pub fn font() -> FontRef<'static> {
    FontRef::try_from_slice(BYTES).expect("the font in the program is one")
}

/// Units of the font in one em.
pub fn units_per_em(font: &FontRef<'_>) -> f64 {
    f64::from(font.units_per_em().expect("the font says so"))
}

/// How wide a text is at a size, both in pixels.
pub fn width(text: &str, size: f64) -> f64 {
    let font = font();
    glyphs(&font, text).last().map_or(0.0, |(_, _, end)| *end) * size / units_per_em(&font)
}

/// The glyphs of a text: which, where it begins and where it ends, in units of the font.
pub fn glyphs(font: &FontRef<'_>, text: &str) -> Vec<(GlyphId, f64, f64)> {
    let mut at = 0.0;
    let place = |c: char| {
        let glyph = font.glyph_id(c);
        let from = at;
        at += f64::from(font.h_advance_unscaled(glyph));
        (glyph, from, at)
    };
    text.chars().map(place).collect()
}

/// The text, shortened to a width.
pub fn fitting(text: &str, size: f64, most: f64) -> String {
    if width(text, size) <= most {
        return text.to_string();
    }
    let mut kept = text.to_string();
    while kept.pop().is_some() {
        let shown = format!("{}…", kept.trim_end());
        if width(&shown, size) <= most {
            return shown;
        }
    }
    String::new()
}

/// The text in lines of a width, broken between words.
pub fn wrapped(text: &str, size: f64, most: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(&format!("{line} {word}"), size) <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(fitting(word, size, most)),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_those_of_the_font() {
        // DejaVu Sans: digits are 1303 of 2048 units wide, an `m` 1995.
        assert_eq!(width("0", 2048.0), 1303.0);
        assert_eq!(width("00m", 2048.0), 2.0 * 1303.0 + 1995.0);
        assert_eq!(width("", 12.0), 0.0);
    }

    #[test]
    fn every_letter_of_a_figure_is_in_the_font() {
        let font = font();
        for c in "aZ09 …–×≤≥µλσ²₂→∞%/()[]{}#@é".chars() {
            assert_ne!(font.glyph_id(c), GlyphId(0), "{c}");
        }
    }

    #[test]
    fn a_long_text_is_shortened_or_broken() {
        assert_eq!(fitting("abc", 10.0, 100.0), "abc");
        let shown = fitting("abcdefghijklmnop", 10.0, 40.0);
        assert!(shown.ends_with('…') && width(&shown, 10.0) <= 40.0, "{shown}");
        assert_eq!(wrapped("aa bb cc", 10.0, width("aa bb", 10.0)), ["aa bb", "cc"]);
        assert_eq!(wrapped("", 10.0, 50.0), Vec::<String>::new());
    }
}
