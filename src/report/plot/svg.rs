//! Figures as SVG.
//!
//! Texts are shapes: a glyph is defined once and used where it occurs. So they look the same in every program, with or
//! without the font; what they say is in `aria-label`.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write;

use ab_glyph::{Font, OutlineCurve};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind};

use super::font::{font, glyphs, units_per_em};
use super::pen::UNITS;

/// An SVG in the making.
pub struct Svg {
    size: (u32, u32),
    /// Shapes of the glyphs used, by their number in the font.
    shapes: BTreeMap<u16, String>,
    body: String,
}

impl Svg {
    /// Of a size in units.
    pub fn new(size: (u32, u32)) -> Svg {
        Svg { size, shapes: BTreeMap::new(), body: String::new() }
    }

    /// The file.
    pub fn file(&self, title: &str) -> String {
        let (width, height) = self.size;
        let mut text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" \
             width=\"{}\" height=\"{}\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{}</title>\n<defs>\n",
            width / UNITS,
            height / UNITS,
            escaped(title),
        );
        for (glyph, shape) in &self.shapes {
            let _ = writeln!(text, "<path id=\"g{glyph}\" d=\"{shape}\"/>");
        }
        text + "</defs>\n" + &self.body + "</svg>\n"
    }
}

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A colour as attributes, `fill` or `stroke`.
fn paint(part: &str, color: BackendColor) -> String {
    let (r, g, b) = color.rgb;
    let opacity = if color.alpha < 1.0 { format!(" {part}-opacity=\"{}\"", color.alpha) } else { String::new() };
    format!("{part}=\"#{r:02x}{g:02x}{b:02x}\"{opacity}")
}

/// An outline as the data of a path, in units of the font.
fn outline(curves: &[OutlineCurve]) -> String {
    let mut text = String::new();
    let mut end = None;
    for curve in curves {
        let from = match curve {
            OutlineCurve::Line(from, _) | OutlineCurve::Quad(from, ..) | OutlineCurve::Cubic(from, ..) => *from,
        };
        if end != Some(from) {
            let _ = write!(text, "M{} {}", from.x, from.y);
        }
        end = Some(match curve {
            OutlineCurve::Line(_, to) => {
                let _ = write!(text, "L{} {}", to.x, to.y);
                *to
            }
            OutlineCurve::Quad(_, by, to) => {
                let _ = write!(text, "Q{} {} {} {}", by.x, by.y, to.x, to.y);
                *to
            }
            OutlineCurve::Cubic(_, by, then, to) => {
                let _ = write!(text, "C{} {} {} {} {} {}", by.x, by.y, then.x, then.y, to.x, to.y);
                *to
            }
        });
    }
    text
}

impl DrawingBackend for Svg {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Drawn {
        let paint = paint("fill", color);
        let _ = writeln!(self.body, "<rect x=\"{x}\" y=\"{y}\" width=\"1\" height=\"1\" {paint}/>");
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn {
        let points: Vec<String> = path.into_iter().map(|(x, y)| format!("{x},{y}")).collect();
        let (paint, width) = (paint("stroke", style.color()), style.stroke_width());
        let _ = writeln!(
            self.body,
            "<polyline points=\"{}\" fill=\"none\" {paint} stroke-width=\"{width}\" stroke-linejoin=\"round\"/>",
            points.join(" ")
        );
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn {
        let points: Vec<String> = path.into_iter().map(|(x, y)| format!("{x},{y}")).collect();
        let _ = writeln!(self.body, "<polygon points=\"{}\" {}/>", points.join(" "), paint("fill", style.color()));
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, (x, y): BackendCoord) -> Drawn {
        let font = font();
        let scale = style.size() / units_per_em(&font);
        let _ = write!(
            self.body,
            "<g aria-label=\"{}\" transform=\"translate({x} {y}) scale({scale:.5} -{scale:.5})\" {}>",
            escaped(text),
            paint("fill", style.color())
        );
        for (glyph, from, _) in glyphs(&font, text) {
            let Some(shape) = font.outline(glyph).filter(|shape| !shape.curves.is_empty()) else { continue };
            self.shapes.entry(glyph.0).or_insert_with(|| outline(&shape.curves));
            let _ = write!(self.body, "<use xlink:href=\"#g{}\" x=\"{from}\"/>", glyph.0);
        }
        self.body.push_str("</g>\n");
        Ok(())
    }
}
