//! Figures as PNG, two pixels for each of the figure.
//!
//! Shapes cover pixels in part, exactly: the picture is smooth without being drawn larger first.

use ab_glyph::{Font, PxScale};
use ab_glyph_rasterizer::{Point, Rasterizer, point};
use plotters::backend::{BitMapBackend, RGBPixel};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind};

use super::font::{font, glyphs, units_per_em};
use super::pen::UNITS;

/// Pixels of the picture for one of the figure.
const SCALE: u32 = 2;
/// Units in one pixel of the picture.
const UNITS_PER_PIXEL: f32 = (UNITS / SCALE) as f32;

/// A bitmap in the making.
pub struct Bitmap<'a> {
    size: (u32, u32),
    pixels: BitMapBackend<'a, RGBPixel>,
}

/// Width and height in pixels of a picture whose size is in units.
pub fn pixels((width, height): (u32, u32)) -> (u32, u32) {
    (width * SCALE / UNITS, height * SCALE / UNITS)
}

impl<'a> Bitmap<'a> {
    /// In a buffer of three bytes for each of its [`pixels`].
    pub fn new(buffer: &'a mut [u8], size: (u32, u32)) -> Bitmap<'a> {
        Bitmap { size, pixels: BitMapBackend::with_buffer(buffer, pixels(size)) }
    }

    /// Colours what closed outlines in units enclose.
    fn fill(&mut self, outlines: &[Vec<Point>], color: BackendColor) -> Drawn<'a> {
        let all = || outlines.iter().flatten();
        let least = |part: fn(&Point) -> f32| all().map(part).fold(f32::INFINITY, f32::min).floor() - 1.0;
        let most = |part: fn(&Point) -> f32| all().map(part).fold(f32::NEG_INFINITY, f32::max).ceil() + 2.0;
        let (left, top, right, bottom) = (least(|p| p.x), least(|p| p.y), most(|p| p.x), most(|p| p.y));
        if !(right > left && bottom > top) {
            return Ok(());
        }
        let mut raster = Rasterizer::new((right - left) as usize, (bottom - top) as usize);
        for outline in outlines {
            for (at, from) in outline.iter().enumerate() {
                let to = outline[(at + 1) % outline.len()];
                raster.draw_line(point(from.x - left, from.y - top), point(to.x - left, to.y - top));
            }
        }
        let (width, height) = self.pixels.get_size();
        let mut result = Ok(());
        raster.for_each_pixel_2d(|x, y, cover| {
            let (x, y) = (x as i32 + left as i32, y as i32 + top as i32);
            let is_inside = (0..width as i32).contains(&x) && (0..height as i32).contains(&y);
            if cover > 0.0 && is_inside && result.is_ok() {
                let alpha = color.alpha * f64::from(cover.min(1.0));
                result = self.pixels.draw_pixel((x, y), BackendColor { alpha, ..color });
            }
        });
        result
    }
}

type Drawn<'a> = Result<(), DrawingErrorKind<<BitMapBackend<'a, RGBPixel> as DrawingBackend>::ErrorType>>;

fn scaled((x, y): BackendCoord) -> Point {
    point(x as f32 / UNITS_PER_PIXEL, y as f32 / UNITS_PER_PIXEL)
}

/// The corners of a straight piece of a line, always turning the same way, so that pieces that overlap add up.
fn piece(from: Point, to: Point, width: f32) -> Option<Vec<Point>> {
    let (dx, dy) = (to.x - from.x, to.y - from.y);
    let length = (dx * dx + dy * dy).sqrt();
    if length == 0.0 {
        return None;
    }
    let (nx, ny) = (-dy / length * width / 2.0, dx / length * width / 2.0);
    let corner = |p: Point, sign: f32| point(p.x + sign * nx, p.y + sign * ny);
    Some(vec![corner(from, -1.0), corner(to, -1.0), corner(to, 1.0), corner(from, 1.0)])
}

/// A disc as a polygon, turning as [`piece`] does.
fn disc(middle: Point, radius: f32) -> Vec<Point> {
    const DIAGONAL: f32 = std::f32::consts::FRAC_1_SQRT_2;
    const CORNERS: [(f32, f32); 8] = [
        (1.0, 0.0),
        (DIAGONAL, DIAGONAL),
        (0.0, 1.0),
        (-DIAGONAL, DIAGONAL),
        (-1.0, 0.0),
        (-DIAGONAL, -DIAGONAL),
        (0.0, -1.0),
        (DIAGONAL, -DIAGONAL),
    ];
    CORNERS.iter().map(|(x, y)| point(middle.x + x * radius, middle.y + y * radius)).collect()
}

impl<'a> DrawingBackend for Bitmap<'a> {
    type ErrorType = <BitMapBackend<'a, RGBPixel> as DrawingBackend>::ErrorType;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn<'a> {
        self.pixels.ensure_prepared()
    }

    fn present(&mut self) -> Drawn<'a> {
        self.pixels.present()
    }

    fn draw_pixel(&mut self, at: BackendCoord, color: BackendColor) -> Drawn<'a> {
        let at = scaled(at);
        self.pixels.draw_pixel((at.x as i32, at.y as i32), color)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn<'a> {
        let points: Vec<Point> = path.into_iter().map(scaled).collect();
        let width = style.stroke_width() as f32 / UNITS_PER_PIXEL;
        let mut outlines: Vec<Vec<Point>> =
            points.windows(2).filter_map(|pair| piece(pair[0], pair[1], width)).collect();
        if points.len() > 2 {
            outlines.extend(points[1..points.len() - 1].iter().map(|middle| disc(*middle, width / 2.0)));
        }
        self.fill(&outlines, style.color())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn<'a> {
        let outline: Vec<Point> = path.into_iter().map(scaled).collect();
        self.fill(&[outline], style.color())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, (x, y): BackendCoord) -> Drawn<'a> {
        let font = font();
        let size = style.size() as f32 / UNITS_PER_PIXEL;
        let per_em = units_per_em(&font) as f32;
        // The library counts sizes in lines, we in ems.
        let scale = PxScale::from(size * font.height_unscaled() / per_em);
        let start = scaled((x, y));
        let (width, height) = self.pixels.get_size();
        let color = style.color();
        for (glyph, from, _) in glyphs(&font, text) {
            let place = ab_glyph::point(start.x + from as f32 * size / per_em, start.y);
            let Some(shape) = font.outline_glyph(glyph.with_scale_and_position(scale, place)) else { continue };
            let corner = shape.px_bounds().min;
            let mut result = Ok(());
            shape.draw(|x, y, cover| {
                let (x, y) = (x as i32 + corner.x as i32, y as i32 + corner.y as i32);
                let is_inside = (0..width as i32).contains(&x) && (0..height as i32).contains(&y);
                if cover > 0.0 && is_inside && result.is_ok() {
                    let alpha = color.alpha * f64::from(cover.min(1.0));
                    result = self.pixels.draw_pixel((x, y), BackendColor { alpha, ..color });
                }
            });
            result?;
        }
        Ok(())
    }
}
