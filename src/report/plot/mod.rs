//! Figures drawn, as SVG and as PNG: the same layout, the same bytes for the same figure.

mod axis;
mod bitmap;
mod draw;
mod font;
mod labels;
mod layout;
mod pen;
mod svg;

use super::figure::Figure;
use bitmap::Bitmap;
use layout::Layout;
use pen::Pen;
use svg::Svg;

/// The figure as an SVG file.
pub fn svg(figure: &Figure) -> Vec<u8> {
    let layout = Layout::of(figure);
    let mut pen = Pen::new(Svg::new(layout.units()));
    draw::figure(figure, &layout, &mut pen);
    pen.done().file(&figure.title).into_bytes()
}

/// The figure as a PNG file, with two pixels for each of the SVG.
pub fn png(figure: &Figure) -> Vec<u8> {
    let layout = Layout::of(figure);
    let (width, height) = bitmap::pixels(layout.units());
    let mut buffer = vec![255; width as usize * height as usize * 3];
    let mut pen = Pen::new(Bitmap::new(&mut buffer, layout.units()));
    draw::figure(figure, &layout, &mut pen);
    drop(pen.done());
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Best);
    encoder.set_filter(png::FilterType::Up);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&buffer));
    written.expect("memory takes every picture");
    file
}
