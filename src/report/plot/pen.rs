//! Shapes and texts in pixels of a figure, drawn on any backend.
//!
//! Backends take whole numbers; they are given sixteenths of a pixel.

use std::convert::Infallible;

use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, FontFamily, FontTransform,
};

/// Units of a backend in one pixel of a figure.
pub const UNITS: u32 = 16;

/// A colour.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Ink {
    /// Red, green, blue.
    pub rgb: (u8, u8, u8),
    /// 1 covers what is below.
    pub alpha: f64,
}

impl Ink {
    /// A colour that covers.
    pub const fn solid(rgb: (u8, u8, u8)) -> Ink {
        Ink { rgb, alpha: 1.0 }
    }

    /// The same, through which one sees.
    pub const fn clear(self, alpha: f64) -> Ink {
        Ink { alpha, ..self }
    }

    /// Mixed with white: 0 is white.
    pub fn pale(self, share: f64) -> Ink {
        let mix = |part: u8| (255.0 - (255.0 - f64::from(part)) * share).round() as u8;
        Ink { rgb: (mix(self.rgb.0), mix(self.rgb.1), mix(self.rgb.2)), alpha: self.alpha }
    }
}

struct Stroke {
    ink: Ink,
    width: u32,
}

impl BackendStyle for Stroke {
    fn color(&self) -> BackendColor {
        BackendColor { alpha: self.ink.alpha, rgb: self.ink.rgb }
    }

    fn stroke_width(&self) -> u32 {
        self.width
    }
}

/// A text style: position is where its base line begins.
struct Lettering {
    ink: Ink,
    size: f64,
}

impl BackendTextStyle for Lettering {
    type FontError = Infallible;

    fn color(&self) -> BackendColor {
        BackendColor { alpha: self.ink.alpha, rgb: self.ink.rgb }
    }

    fn size(&self) -> f64 {
        self.size
    }

    fn transform(&self) -> FontTransform {
        FontTransform::None
    }

    fn family(&self) -> FontFamily<'_> {
        FontFamily::SansSerif
    }

    fn layout_box(&self, _: &str) -> Result<((i32, i32), (i32, i32)), Infallible> {
        Ok(((0, 0), (0, 0)))
    }

    fn draw<E, F: FnMut(i32, i32, BackendColor) -> Result<(), E>>(
        &self,
        _: &str,
        _: BackendCoord,
        _: F,
    ) -> Result<Result<(), E>, Infallible> {
        unreachable!("the backends have the font and draw glyphs by themselves")
    }
}

/// Where a text is put.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Align {
    /// It begins there.
    Left,
    /// Its middle is there.
    Middle,
    /// It ends there.
    Right,
}

/// Draws in pixels of a figure.
pub struct Pen<Backend: DrawingBackend> {
    backend: Backend,
}

impl<Backend: DrawingBackend> Pen<Backend> {
    /// On a backend whose size is in units.
    pub fn new(backend: Backend) -> Pen<Backend> {
        Pen { backend }
    }

    /// The backend, when all is drawn.
    pub fn done(mut self) -> Backend {
        self.backend.present().unwrap_or_else(|error| panic!("memory takes every drawing: {error}"));
        self.backend
    }

    fn place((x, y): (f64, f64)) -> BackendCoord {
        // What is outside the picture need not be exact: a backend may hold all that a shape spans.
        let unit = |value: f64| (value * f64::from(UNITS)).round().clamp(-2e3, 8e4) as i32;
        (unit(x), unit(y))
    }

    fn stroke(ink: Ink, width: f64) -> Stroke {
        Stroke { ink, width: (width * f64::from(UNITS)).round().max(1.0) as u32 }
    }

    /// A filled rectangle between two corners.
    pub fn rectangle(&mut self, from: (f64, f64), to: (f64, f64), ink: Ink) {
        self.polygon(&[from, (to.0, from.1), to, (from.0, to.1)], ink);
    }

    /// A filled polygon.
    pub fn polygon(&mut self, points: &[(f64, f64)], ink: Ink) {
        let drawn = self.backend.fill_polygon(points.iter().map(|point| Self::place(*point)), &Self::stroke(ink, 0.0));
        drawn.unwrap_or_else(|error| panic!("memory takes every drawing: {error}"));
    }

    /// A line through points.
    pub fn line(&mut self, points: &[(f64, f64)], ink: Ink, width: f64) {
        if points.len() < 2 {
            return;
        }
        let drawn = self.backend.draw_path(points.iter().map(|point| Self::place(*point)), &Self::stroke(ink, width));
        drawn.unwrap_or_else(|error| panic!("memory takes every drawing: {error}"));
    }

    /// A line of dashes: lengths of dash and gap by turns; none is a whole line.
    pub fn dashes(&mut self, points: &[(f64, f64)], ink: Ink, width: f64, pattern: &[f64]) {
        if pattern.is_empty() {
            return self.line(points, ink, width);
        }
        for dash in dashed(points, pattern) {
            self.line(&dash, ink, width);
        }
    }

    /// A text whose base line is at `y`.
    pub fn text(&mut self, text: &str, (x, y): (f64, f64), align: Align, size: f64, ink: Ink) {
        let wide = super::font::width(text, size);
        let x = match align {
            Align::Left => x,
            Align::Middle => x - wide / 2.0,
            Align::Right => x - wide,
        };
        let style = Lettering { ink, size: size * f64::from(UNITS) };
        let drawn = self.backend.draw_text(text, &style, Self::place((x, y)));
        drawn.unwrap_or_else(|error| panic!("memory takes every drawing: {error}"));
    }
}

/// The dashes of a line.
fn dashed(points: &[(f64, f64)], pattern: &[f64]) -> Vec<Vec<(f64, f64)>> {
    let mut dashes: Vec<Vec<(f64, f64)>> = Vec::new();
    let (mut part, mut left) = (0, pattern[0]);
    let mut current: Vec<(f64, f64)> = points.first().copied().into_iter().collect();
    for pair in points.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let length = ((to.0 - from.0) * (to.0 - from.0) + (to.1 - from.1) * (to.1 - from.1)).sqrt();
        let mut gone = 0.0;
        while length - gone > left {
            gone += left;
            let at = (from.0 + (to.0 - from.0) * gone / length, from.1 + (to.1 - from.1) * gone / length);
            if part % 2 == 0 {
                current.push(at);
                dashes.push(std::mem::take(&mut current));
            } else {
                current = vec![at];
            }
            part += 1;
            left = pattern[part % pattern.len()];
        }
        left -= length - gone;
        if part % 2 == 0 {
            current.push(to);
        }
    }
    if current.len() > 1 {
        dashes.push(current);
    }
    dashes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_go_on_round_corners() {
        let dashes = dashed(&[(0.0, 0.0), (3.0, 0.0), (3.0, 3.0)], &[2.0, 2.0]);
        let expected = vec![vec![(0.0, 0.0), (2.0, 0.0)], vec![(3.0, 1.0), (3.0, 3.0)]];
        assert_eq!(dashes, expected);
        assert_eq!(dashed(&[(0.0, 0.0)], &[1.0, 1.0]), Vec::<Vec<(f64, f64)>>::new());
    }

    #[test]
    fn pale_ink_is_nearer_to_white() {
        assert_eq!(Ink::solid((0, 100, 255)).pale(0.0).rgb, (255, 255, 255));
        assert_eq!(Ink::solid((0, 100, 255)).pale(1.0).rgb, (0, 100, 255));
    }
}
