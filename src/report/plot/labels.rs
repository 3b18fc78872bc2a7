//! Labels beside what they name, nudged until none lies on another.

/// A rectangle.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Rect {
    /// Left end.
    pub x: f64,
    /// Upper end.
    pub y: f64,
    /// How wide.
    pub width: f64,
    /// How high.
    pub height: f64,
}

impl Rect {
    /// Around a middle.
    pub fn around((x, y): (f64, f64), width: f64, height: f64) -> Rect {
        Rect { x: x - width / 2.0, y: y - height / 2.0, width, height }
    }

    /// Whether the two have an area in common.
    pub fn overlaps(&self, other: &Rect) -> bool {
        self.x < other.x + other.width
            && other.x < self.x + self.width
            && self.y < other.y + other.height
            && other.y < self.y + self.height
    }

    /// Whether the other lies in it.
    pub fn contains(&self, other: &Rect) -> bool {
        other.x >= self.x
            && other.y >= self.y
            && other.x + other.width <= self.x + self.width
            && other.y + other.height <= self.y + self.height
    }

    /// The point of it that is nearest to another.
    pub fn nearest(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (x.clamp(self.x, self.x + self.width), y.clamp(self.y, self.y + self.height))
    }

    /// Whether a straight line passes through it.
    fn is_crossed(&self, (from, to): Segment) -> bool {
        // The stretch of the line, from 0 to 1, that is within all four sides (Liang and Barsky 1984).
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let (mut enter, mut leave) = (0.0_f64, 1.0_f64);
        for (step, room) in [
            (-dx, from.0 - self.x),
            (dx, self.x + self.width - from.0),
            (-dy, from.1 - self.y),
            (dy, self.y + self.height - from.1),
        ] {
            if step == 0.0 {
                if room < 0.0 {
                    return false;
                }
            } else if step < 0.0 {
                enter = enter.max(room / step);
            } else {
                leave = leave.min(room / step);
            }
        }
        enter < leave
    }
}

/// A straight line between two points.
pub type Segment = ((f64, f64), (f64, f64));

/// A label to be placed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Wanted {
    /// What it names.
    pub at: (f64, f64),
    /// Its size.
    pub size: (f64, f64),
    /// Which places are tried first.
    pub side: Side,
}

/// Where a label is best.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// Anywhere around a point.
    Around,
    /// To the right of the end of a line, higher or lower if need be.
    Right,
}

/// Rings of places around a point that are tried.
const RINGS: u32 = 14;

/// Places for the labels, in their order: inside `bounds`, none on another; as near as possible to what they name, and on
/// as few marks and lines as possible. One that has no place is left out.
pub fn placed(labels: &[Wanted], marks: &[Rect], lines: &[Segment], bounds: Rect) -> Vec<Option<Rect>> {
    let mut taken: Vec<Rect> = Vec::new();
    let mut places = Vec::new();
    for label in labels {
        let mut best: Option<(f64, Rect)> = None;
        for ring in 0..RINGS {
            let candidates = match label.side {
                Side::Around => around(label, ring).to_vec(),
                Side::Right => beside(label, ring),
            };
            for (order, rect) in candidates.into_iter().enumerate() {
                if !bounds.contains(&rect) || taken.iter().any(|other| other.overlaps(&rect)) {
                    continue;
                }
                let on_marks = marks.iter().filter(|mark| mark.overlaps(&rect)).count() as f64;
                let leader = (label.at, rect.nearest(label.at));
                let is_own = |mark: &&Rect| mark.overlaps(&Rect::around(label.at, 1.0, 1.0));
                let passed = taken.iter().chain(marks.iter().filter(|mark| !is_own(mark)));
                let passed =
                    passed.filter(|other| label.side == Side::Around && other.is_crossed(leader)).count() as f64;
                let on_lines = lines.iter().filter(|line| rect.is_crossed(**line)).count().min(4) as f64;
                let cost =
                    f64::from(ring) * 10.0 + order as f64 * 1.5 + on_marks * 40.0 + on_lines * 14.0 + passed * 30.0;
                if best.is_none_or(|(least, _)| cost < least) {
                    best = Some((cost, rect));
                }
            }
            // What is further away costs more than this already does.
            if best.is_some_and(|(least, _)| least <= f64::from(ring + 1) * 10.0) {
                break;
            }
        }
        let place = best.map(|(_, rect)| rect);
        taken.extend(place);
        places.push(place);
    }
    places
}

/// Places to the right of a point, higher and lower; then those around it.
fn beside(label: &Wanted, ring: u32) -> Vec<Rect> {
    let (width, height) = label.size;
    let (x, y) = (label.at.0 + 9.0, label.at.1 - height / 2.0);
    let shift = f64::from(ring) * height * 0.5;
    let mut places: Vec<Rect> = [y - shift, y + shift].into_iter().map(|y| Rect { x, y, width, height }).collect();
    // The ends of lines that end early are better labelled close by than far off to the right.
    if ring > 8 {
        places.extend(around(label, ring - 9));
    }
    places
}

/// Eight places around a point, the better ones first.
fn around(label: &Wanted, ring: u32) -> [Rect; 8] {
    let (width, height) = label.size;
    let gap = 7.0 + f64::from(ring) * height * 0.55;
    let (x, y) = label.at;
    let place = |x: f64, y: f64| Rect { x, y, width, height };
    let (right, left, level) = (x + gap, x - gap - width, y - height / 2.0);
    let (over, under) = (y - gap - height, y + gap);
    [
        place(right, level),
        place(left, level),
        place(x - width / 2.0, over),
        place(x - width / 2.0, under),
        place(x + 7.0, over + 4.0),
        place(x + 7.0, under - 4.0),
        place(x - 7.0 - width, over + 4.0),
        place(x - 7.0 - width, under - 4.0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Rect = Rect { x: 0.0, y: 0.0, width: 400.0, height: 300.0 };

    #[test]
    fn a_label_alone_is_to_the_right() {
        let label = Wanted { at: (100.0, 100.0), size: (40.0, 12.0), side: Side::Around };
        let places = placed(&[label], &[], &[], BOUNDS);
        assert_eq!(places, [Some(Rect { x: 107.0, y: 94.0, width: 40.0, height: 12.0 })]);
    }

    #[test]
    fn labels_of_one_point_do_not_overlap() {
        let labels: Vec<Wanted> =
            (0..12).map(|_| Wanted { at: (200.0, 150.0), size: (40.0, 12.0), side: Side::Around }).collect();
        let places: Vec<Rect> = placed(&labels, &[], &[], BOUNDS).into_iter().flatten().collect();
        assert_eq!(places.len(), 12, "all have a place");
        for (at, one) in places.iter().enumerate() {
            assert!(BOUNDS.contains(one));
            assert!(places[..at].iter().all(|other| !other.overlaps(one)), "{places:?}");
        }
    }

    #[test]
    fn a_label_keeps_off_lines_and_marks() {
        let label = Wanted { at: (100.0, 100.0), size: (40.0, 12.0), side: Side::Around };
        let line = ((100.0, 100.0), (300.0, 100.0));
        let place = placed(&[label], &[], &[line], BOUNDS)[0].expect("there is room");
        assert!(!place.is_crossed(line), "{place:?}");
        let mark = Rect::around((120.0, 100.0), 10.0, 10.0);
        let place = placed(&[label], &[mark], &[], BOUNDS)[0].expect("there is room");
        assert!(!place.overlaps(&mark), "{place:?}");
    }

    #[test]
    fn names_of_lines_that_end_together_stand_below_each_other() {
        let labels = [Wanted { at: (300.0, 100.0), size: (40.0, 12.0), side: Side::Right }; 4];
        let places: Vec<Rect> = placed(&labels, &[], &[], BOUNDS).into_iter().flatten().collect();
        let mut heights: Vec<f64> = places.iter().map(|rect| rect.y).collect();
        heights.sort_by(f64::total_cmp);
        assert_eq!(heights, [70.0, 82.0, 94.0, 106.0], "by turns above and below");
        assert!(places.iter().all(|rect| rect.x == 309.0), "{places:?}");
    }

    #[test]
    fn what_has_no_place_is_left_out() {
        let label = Wanted { at: (100.0, 100.0), size: (500.0, 12.0), side: Side::Around };
        assert_eq!(placed(&[label], &[], &[], BOUNDS), [None]);
    }

    #[test]
    fn lines_cross_rectangles_or_do_not() {
        let rect = Rect { x: 10.0, y: 10.0, width: 10.0, height: 10.0 };
        assert!(rect.is_crossed(((0.0, 15.0), (30.0, 15.0))));
        assert!(rect.is_crossed(((12.0, 12.0), (13.0, 13.0))));
        assert!(!rect.is_crossed(((0.0, 0.0), (30.0, 5.0))));
        assert!(!rect.is_crossed(((0.0, 30.0), (5.0, 0.0))));
    }
}
