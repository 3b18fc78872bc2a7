//! Everything that is wrong with a scenario, collected: each with its place, its path and its reason.
//!
//! All errors are reported at once, at most twenty of them; the rest is counted. A path here is the
//! path that `--set` and a sweep take, so that an error can be answered by copying it.

use std::fmt;
use std::sync::Arc;

use super::json::Origin;

/// How many errors are shown one by one.
pub const SHOWN_AT_MOST: usize = 20;

/// How many errors are kept; the rest is only counted.
const KEPT_AT_MOST: usize = 500;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Where it was said.
    pub origin: Origin,
    /// The path of the field, empty for the whole file.
    pub path: String,
    /// What is wrong, what was found, what is allowed.
    pub message: String,
}

/// Errors and notices of one scenario, and the path at which the reader currently is.
#[derive(Clone, Debug, Default)]
pub struct Errors {
    file: Arc<str>,
    text: Arc<str>,
    problems: Vec<Problem>,
    uncounted: usize,
    notices: Vec<String>,
    path: Vec<String>,
}

impl Errors {
    /// No errors yet; `file` is the name by which the scenario is spoken of, `text` its text.
    pub fn new(file: &str, text: &str) -> Errors {
        Errors { file: file.into(), text: text.into(), ..Errors::default() }
    }

    /// Whether nothing is wrong so far.
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// Whether so much is wrong that further errors are only counted.
    pub fn is_full(&self) -> bool {
        self.problems.len() >= KEPT_AT_MOST
    }

    /// The problems so far, in the order in which they were found.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// What is worth saying although it is not wrong.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// Takes the problems out, leaving none.
    pub fn take_problems(&mut self) -> Vec<Problem> {
        std::mem::take(&mut self.problems)
    }

    /// Records that the value at the current path is wrong.
    pub fn error(&mut self, origin: &Origin, message: impl Into<String>) {
        let path = self.path.join(".");
        self.error_at(path, origin, message);
    }

    /// Records an error at a path of its own. The same error is recorded once: the settings of a
    /// sweep share most of their fields.
    pub fn error_at(&mut self, path: String, origin: &Origin, message: impl Into<String>) {
        if self.is_full() {
            self.uncounted += 1;
            return;
        }
        let problem = Problem { origin: origin.clone(), path, message: message.into() };
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Records a notice, once.
    pub fn notice(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.notices.contains(&text) {
            self.notices.push(text);
        }
    }

    /// Does `inner` one step further down the path.
    pub fn within<T>(&mut self, step: &str, inner: impl FnOnce(&mut Errors) -> T) -> T {
        self.path.push(step.to_string());
        let result = inner(self);
        self.path.pop();
        result
    }

    /// The errors as a terminal shows them: each with the line of the file it speaks of.
    pub fn render(&self) -> String {
        use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
        let renderer = Renderer::plain();
        let mut out = String::new();
        for problem in self.problems.iter().take(SHOWN_AT_MOST) {
            let title = problem.title();
            match &problem.origin {
                Origin::File { start, end, .. } if (*end as usize) <= self.text.len() && !self.text.is_empty() => {
                    // A whole object as excerpt would bury the reason, so only its first line is marked.
                    let (start, end) = (*start as usize, *end as usize);
                    let marked = self.text.get(start..end).unwrap_or("");
                    let end = start + marked.find('\n').unwrap_or(marked.len());
                    let (from, first_line, excerpt) = excerpt(&self.text, start, end);
                    let group = Level::ERROR.primary_title(title.as_str()).element(
                        Snippet::source(excerpt)
                            .path(&*self.file)
                            .line_start(first_line)
                            .annotation(AnnotationKind::Primary.span(start - from..end - from)),
                    );
                    out.push_str(&renderer.render(&[group]));
                }
                origin => out.push_str(&format!("error: {}{}: {title}", self.file, origin)),
            }
            out.push('\n');
        }
        if let Some(more) = self.more() {
            out.push_str(&more);
            out.push('\n');
        }
        out
    }

    fn more(&self) -> Option<String> {
        let more = self.problems.len().saturating_sub(SHOWN_AT_MOST) + self.uncounted;
        (more > 0).then(|| format!("{}: and {more} more", self.file))
    }
}

/// The line of `text` around `start..end`: where it begins, its number, and its text. A file may be
/// one line of megabytes, so a long line is cut near the mark.
fn excerpt(text: &str, start: usize, end: usize) -> (usize, usize, &str) {
    const WIDTH: usize = 200;
    let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let mut from = line.max(start.saturating_sub(WIDTH));
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let mut to = text[end..].find('\n').map_or(text.len(), |at| end + at).min(end + WIDTH);
    while !text.is_char_boundary(to) {
        to -= 1;
    }
    let number = text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count() + 1;
    (from, number, &text[from..to])
}

impl Problem {
    fn title(&self) -> String {
        if self.path.is_empty() { self.message.clone() } else { format!("{}: {}", self.path, self.message) }
    }
}

/// One line per error: `file:line:col: path.to.field: what is wrong`.
impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in self.problems.iter().take(SHOWN_AT_MOST) {
            writeln!(f, "{}{}: {}", self.file, problem.origin, problem.title())?;
        }
        if let Some(more) = self.more() {
            writeln!(f, "{more}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

/// The known name nearest to `name`, if it is near enough to be meant.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let mut best: Option<(usize, &str)> = None;
    for candidate in known {
        let distance = strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
        let near_enough = distance <= (candidate.chars().count().max(name.chars().count()) / 3).max(1);
        if near_enough && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// `; did you mean X?` when a known name is near, otherwise the list of what is known.
pub fn suggestion<'a>(name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(name, known.clone()) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => {
            let all: Vec<&str> = known.into_iter().collect();
            match all.len() {
                0 => "; none are known".to_string(),
                1..=24 => format!("; known: {}", all.join(", ")),
                many => format!("; known: {} … {} ({many})", all[..3].join(", "), all[many - 1]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_with_place_path_and_reason() {
        let mut errors = Errors::new("a.json", "{\n  \"r\": 4\n}");
        let origin = Origin::File { line: 2, column: 8, start: 9, end: 10 };
        errors.within("cluster", |errors| errors.within("r", |errors| errors.error(&origin, "4 is more than n = 3")));
        assert_eq!(errors.to_string(), "a.json:2:8: cluster.r: 4 is more than n = 3\n");
        assert!(errors.render().contains("2 |   \"r\": 4"), "{}", errors.render());
    }

    #[test]
    fn more_than_twenty_errors_are_counted() {
        let mut errors = Errors::new("a.json", "");
        for i in 0..23 {
            errors.error(&Origin::Nowhere, format!("wrong {i}"));
        }
        assert_eq!(errors.to_string().lines().count(), 21);
        assert!(errors.to_string().ends_with("a.json: and 3 more\n"));
    }

    #[test]
    fn the_nearest_name_must_be_near() {
        assert_eq!(nearest("replicaton", ["replication", "ring"]), Some("replication"));
        assert_eq!(nearest("colour", ["replication", "ring"]), None);
    }
}
