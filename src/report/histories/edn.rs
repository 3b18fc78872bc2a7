//! As much of EDN as histories are written in: nil, booleans, integers, texts, keywords, lists, vectors and maps. Tags are
//! passed over; the value behind them counts.

use super::Problems;

/// Deeper than any history nests.
const DEEPEST: u32 = 32;

/// A value and the line it begins in.
#[derive(Clone, PartialEq, Debug)]
pub struct Node {
    /// From 1.
    pub line: u32,
    /// The value.
    pub value: Edn,
}

/// A value.
#[derive(Clone, PartialEq, Debug)]
pub enum Edn {
    /// `nil`
    Nil,
    /// `true` or `false`
    Bool(bool),
    /// `42`
    Int(i64),
    /// `"text"`
    Text(String),
    /// `:keyword`, without its colon
    Keyword(String),
    /// Anything else that is one word: symbols, numbers that are no integers.
    Word(String),
    /// A list, vector or set.
    List(Vec<Node>),
    /// A map, in the order of the file.
    Map(Vec<(Node, Node)>),
}

impl Edn {
    /// The value of a keyword in a map.
    pub fn get(&self, keyword: &str) -> Option<&Node> {
        let Edn::Map(entries) = self else { return None };
        entries
            .iter()
            .find(|(key, _)| matches!(&key.value, Edn::Keyword(name) if name == keyword))
            .map(|(_, value)| value)
    }
}

/// All values of a text, those of a list or vector around everything one by one. Stops at the first that makes no sense.
pub fn read(text: &str, problems: &mut Problems) -> Vec<Node> {
    let mut reader = Reader { rest: text, line: 1 };
    let mut all = Vec::new();
    loop {
        reader.skip_space();
        if reader.rest.is_empty() {
            return all;
        }
        match reader.value(0) {
            Ok(Node { value: Edn::List(nodes), .. }) => all.extend(nodes),
            Ok(node) => all.push(node),
            Err(message) => {
                problems.add(reader.line, "", message);
                return all;
            }
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
    line: u32,
}

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.line += taken.matches('\n').count() as u32;
        self.rest = rest;
        taken
    }

    /// Commas are space in EDN.
    fn skip_space(&mut self) {
        loop {
            let space = self.rest.len() - self.rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',').len();
            self.take(space);
            if !self.rest.starts_with(';') {
                return;
            }
            self.take(self.rest.find('\n').unwrap_or(self.rest.len()));
        }
    }

    fn value(&mut self, depth: u32) -> Result<Node, String> {
        self.skip_space();
        if depth > DEEPEST {
            return Err(format!("nested deeper than {DEEPEST}"));
        }
        let line = self.line;
        let first = self.rest.chars().next().ok_or("the file ends inside a value: its last line is cut off")?;
        let value = match first {
            '{' => {
                let nodes = self.until('}', 1, depth)?;
                if nodes.len() % 2 == 1 {
                    return Err("a map has a key without a value".into());
                }
                let mut nodes = nodes.into_iter();
                let mut entries = Vec::new();
                while let (Some(key), Some(value)) = (nodes.next(), nodes.next()) {
                    entries.push((key, value));
                }
                Edn::Map(entries)
            }
            '[' => Edn::List(self.until(']', 1, depth)?),
            '(' => Edn::List(self.until(')', 1, depth)?),
            '"' => Edn::Text(self.text()?),
            '#' if self.rest.starts_with("#{") => Edn::List(self.until('}', 2, depth)?),
            '#' => {
                self.word();
                return self.value(depth + 1);
            }
            '}' | ']' | ')' => return Err(format!("`{first}` closes nothing")),
            _ => match self.word() {
                "nil" => Edn::Nil,
                "true" => Edn::Bool(true),
                "false" => Edn::Bool(false),
                word => match (word.strip_prefix(':'), word.parse::<i64>()) {
                    (Some(name), _) => Edn::Keyword(name.into()),
                    (None, Ok(number)) => Edn::Int(number),
                    (None, Err(_)) => Edn::Word(word.into()),
                },
            },
        };
        Ok(Node { line, value })
    }

    fn until(&mut self, end: char, opening: usize, depth: u32) -> Result<Vec<Node>, String> {
        self.take(opening);
        let mut nodes = Vec::new();
        loop {
            self.skip_space();
            if self.rest.starts_with(end) {
                self.take(1);
                return Ok(nodes);
            }
            nodes.push(self.value(depth + 1)?);
        }
    }

    fn word(&mut self) -> &'a str {
        let ends = |c: char| c.is_whitespace() || ",;\"{}[]()".contains(c);
        let first = self.rest.chars().next().map_or(0, char::len_utf8);
        let more = self.rest[first..].find(ends).unwrap_or(self.rest.len() - first);
        self.take(first + more)
    }

    fn text(&mut self) -> Result<String, String> {
        self.take(1);
        let mut text = String::new();
        let mut characters = self.rest.char_indices();
        while let Some((at, c)) = characters.next() {
            match c {
                '"' => {
                    self.take(at + 1);
                    return Ok(text);
                }
                '\\' => match characters.next().map(|(_, escaped)| escaped) {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some('r') => text.push('\r'),
                    Some(c @ ('"' | '\\')) => text.push(c),
                    other => return Err(format!("`\\{}` is no escape", other.unwrap_or(' '))),
                },
                c => text.push(c),
            }
        }
        Err("the file ends inside a text: its last line is cut off".into())
    }
}

/// A text as EDN writes it.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_read_with_the_lines_they_stand_in() {
        let mut problems = Problems::default();
        let text = "; a history\n[{:process 3, :f :cas, :value [1 nil]}\n #jepsen.op{:key \"a \\\"b\\\"\"}]";
        let nodes = read(text, &mut problems);
        assert!(problems.is_empty(), "{}", problems.text("x"));
        assert_eq!(nodes.iter().map(|node| node.line).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(nodes[0].value.get("process").map(|node| &node.value), Some(&Edn::Int(3)));
        assert_eq!(nodes[1].value.get("key").map(|node| &node.value), Some(&Edn::Text("a \"b\"".into())));
    }

    #[test]
    fn what_is_cut_off_or_wrong_is_told_with_its_line() {
        for (text, wanted) in [
            ("{:a 1}\n{:b", "2: the file ends"),
            ("{:a}", "1: a map has a key without"),
            ("\n)", "2: `)` closes nothing"),
            ("\"ab", "1: the file ends inside a text"),
            (&"[".repeat(99), "1: nested deeper"),
            ("\"\\q\"", "1: `\\q` is no escape"),
        ] {
            let mut problems = Problems::default();
            read(text, &mut problems);
            assert!(problems.text("x").contains(wanted), "{text}: {}", problems.text("x"));
        }
    }
}
