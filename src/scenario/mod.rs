//! Scenario files: the only code that knows how an experiment is spelled.
//!
//! Text becomes a tree with places (`json`), the tree becomes typed values (`decode`, `spec`), and
//! rules between fields are checked (`rules`), all before the first event. This layer does not know
//! how a run works.

pub mod build;
pub mod containers;
pub mod decimal;
pub mod decode;
pub mod edit;
pub mod errors;
pub mod expectations;
pub mod files;
pub mod json;
pub mod metrics;
pub mod names;
pub mod numbers;
pub mod paths;
pub mod properties;
pub mod rules;
pub mod scalars;
pub mod source;
pub mod spec;
pub mod swarm;
pub mod sweep;
pub mod visit;
pub mod world;

use std::sync::Arc;

use serde_json::{Value as Json, json};

use decode::{Decode, Definitions};
use errors::{Errors, Problem};
use files::Files;
use json::{Node, Origin};
use source::Source;
use spec::Spec;
use sweep::AxisValue;

/// A scenario that was read and found free of errors.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Names the results.
    pub name: String,
    /// One line about it.
    pub about: String,
    /// xxh3 of the text and of the overrides.
    pub hash: u128,
    /// The scenario without any axis.
    pub base: Spec,
    /// One setting for each combination of axes that breaks no rule; one without axes.
    pub settings: Vec<Setting>,
    /// What the files that it names say.
    pub files: Files,
    /// What is worth saying although it is not wrong.
    pub notices: Vec<String>,
    /// Combinations that break a rule.
    pub skipped: Vec<Skipped>,
    /// The text as it was given.
    pub text: String,
}

/// A combination of points that makes no setting.
#[derive(Clone, Debug)]
pub struct Skipped {
    /// One value an axis.
    pub values: Vec<AxisValue>,
    /// The field, and the rule that it breaks.
    pub because: String,
}

/// One setting of the sweep.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Its number from 0, in the order of the axes; combinations that were skipped have none.
    pub number: u32,
    /// One value an axis.
    pub values: Vec<AxisValue>,
    /// The scenario in this setting.
    pub spec: Spec,
    /// What is worth saying of this setting alone.
    pub notices: Vec<String>,
}

/// Reads a scenario with its files, changed by `overrides` (path and value, as of `--set`).
///
/// # Errors
/// Everything that is wrong, each with place, path and reason.
pub fn load(source: &dyn Source, overrides: &[(String, String)]) -> Result<Loaded, Errors> {
    Draft::read(source, overrides)?.understand()
}

/// A scenario that was read and not yet understood: its tree can still be changed.
#[derive(Clone)]
pub struct Draft<'a> {
    source: &'a dyn Source,
    tree: Node,
    schema: Arc<Json>,
    hasher: xxhash_rust::xxh3::Xxh3,
}

impl<'a> Draft<'a> {
    /// Reads the text and sets what the command line says.
    ///
    /// # Errors
    /// The text is no JSON, or a path leads nowhere.
    pub fn read(source: &'a dyn Source, overrides: &[(String, String)]) -> Result<Draft<'a>, Errors> {
        let mut cx = Errors::new(source.name(), source.text());
        let Some(tree) = json::parse(source.text(), source.comments(), &mut cx) else { return Err(cx) };
        let mut hasher = xxhash_rust::xxh3::Xxh3::new();
        hasher.update(source.text().as_bytes());
        let mut draft = Draft { source, tree, schema: Arc::new(schema()), hasher };
        for (path, value) in overrides {
            let origin = Origin::Command(format!("{path}={value}").into());
            if let Err(message) = paths::set(&mut draft.tree, path, command_value(value, &origin), &draft.schema) {
                cx.error_at(path.clone(), &origin, message);
            }
            draft.hash(path, value);
        }
        if cx.is_empty() {
            return Ok(draft);
        }
        // What else is wrong is said with it.
        let _ = Spec::decode(&draft.tree, &mut cx);
        Err(cx)
    }

    fn hash(&mut self, path: &str, value: &str) {
        for part in [path, value] {
            self.hasher.update(&(part.len() as u64).to_le_bytes());
            self.hasher.update(part.as_bytes());
        }
    }

    /// The tree as it is.
    pub fn tree(&self) -> &Node {
        &self.tree
    }

    /// Sets the value at a path; `why` says who does.
    ///
    /// # Errors
    /// The path leads nowhere.
    pub fn set(&mut self, path: &str, value: &Json, why: &str) -> Result<(), Errors> {
        let origin = Origin::Point { axis: "check".into(), point: why.into() };
        self.hash(path, &value.to_string());
        paths::set(&mut self.tree, path, Node::from_json(value, &origin), &self.schema).map_err(|message| {
            let mut cx = Errors::new(self.source.name(), self.source.text());
            cx.error_at(path.to_string(), &origin, message);
            cx
        })
    }

    /// Adds a member to a list of the scenario.
    pub fn append(&mut self, list: &str, member: &Json) {
        self.hash(list, &member.to_string());
        let member = Node::from_json(member, &Origin::Nowhere);
        let json::Value::Map(entries) = &mut self.tree.value else { return };
        match entries.iter_mut().find(|entry| entry.name == list).map(|entry| &mut entry.node) {
            Some(Node { value: json::Value::List(members), .. }) => members.push(member),
            Some(node) => *node = Node::new(json::Value::List(vec![member]), Origin::Nowhere),
            None => entries.push(json::Entry {
                name: list.to_string(),
                origin: Origin::Nowhere,
                node: Node::new(json::Value::List(vec![member]), Origin::Nowhere),
            }),
        }
    }

    /// Understands the scenario and reads its files.
    ///
    /// # Errors
    /// Everything that is wrong, each with place, path and reason.
    pub fn understand(&self) -> Result<Loaded, Errors> {
        let mut cx = Errors::new(self.source.name(), self.source.text());
        match self.understand_into(&mut cx) {
            Some(loaded) if cx.is_empty() => Ok(loaded),
            _ => Err(cx),
        }
    }

    fn understand_into(&self, cx: &mut Errors) -> Option<Loaded> {
        let Draft { source, tree, schema, hasher } = self;
        let base = Spec::decode(tree, cx).filter(|_| cx.is_empty())?;
        sweep::check_axes(&base, tree, cx);
        if !cx.is_empty() {
            return None;
        }
        let mut files = Files::default();
        let (settings, skipped) = expand(&base, tree, schema, *source, &mut files, cx)?;
        let name = base.name.as_ref().map_or_else(|| source.stem().to_string(), |name| name.to_string());
        let notices = cx.notices().to_vec();
        let (about, hash, text) = (base.about.clone(), hasher.digest128(), source.text().to_string());
        Some(Loaded { name, about, hash, base, settings, files, notices, skipped, text })
    }
}

/// A value of the command line: JSON, or a text if it is none.
fn command_value(text: &str, origin: &Origin) -> Node {
    let mut nothing = Errors::default();
    match json::parse(text, false, &mut nothing) {
        Some(node) => node.moved_to(origin),
        None => Node::new(json::Value::Text(text.to_string()), origin.clone()),
    }
}

/// Decodes every combination and checks its rules; what breaks a rule is passed over.
fn expand(
    base: &Spec,
    tree: &Node,
    schema: &Json,
    source: &dyn Source,
    files: &mut Files,
    cx: &mut Errors,
) -> Option<(Vec<Setting>, Vec<Skipped>)> {
    let mut settings = Vec::new();
    let mut skipped: Vec<Skipped> = Vec::new();
    let mut broken = Errors::new(source.name(), source.text());
    let mut common: Option<Vec<Problem>> = None;
    for number in 0..sweep::size(&base.sweep) {
        let Some(combination) = sweep::combination(number, &base.sweep, tree, schema, cx) else { continue };
        let Some(spec) = Spec::decode(&combination.tree, cx).filter(|_| cx.is_empty()) else { continue };
        let mut rules = Errors::new(source.name(), source.text());
        rules::check(&spec, &combination.tree, &mut rules);
        if rules.is_empty() {
            files.read(&spec, &combination.tree, source, cx);
            settings.push(Setting {
                number: settings.len() as u32,
                values: combination.values,
                spec,
                notices: rules.notices().to_vec(),
            });
            continue;
        }
        let reason = &rules.problems()[0];
        let because = format!("{}: {}", reason.path, reason.message);
        if !combination.values.is_empty() {
            cx.notice(format!("skipped {}: {because}", sweep::describe(&combination.values)));
        }
        let problems = rules.take_problems();
        match &mut common {
            Some(common) => common.retain(|problem| problems.contains(problem)),
            None => common = Some(problems.clone()),
        }
        for problem in problems {
            broken.error_at(problem.path, &problem.origin, problem.message);
        }
        skipped.push(Skipped { values: combination.values, because });
    }
    if settings.is_empty() {
        // What is wrong in every combination is the reason; what only some points do would be skipped.
        let reasons = common.filter(|common| !common.is_empty()).unwrap_or_else(|| broken.take_problems());
        for problem in reasons {
            cx.error_at(problem.path, &problem.origin, problem.message);
        }
        return None;
    }
    expectations::check(base, tree, &settings, &skipped, cx);
    // A notice that every setting has is said once.
    let common: Vec<String> = settings[0]
        .notices
        .iter()
        .filter(|notice| settings.iter().all(|setting| setting.notices.contains(notice)))
        .cloned()
        .collect();
    for setting in &mut settings {
        setting.notices.retain(|notice| !common.contains(notice));
    }
    common.into_iter().for_each(|notice| cx.notice(notice));
    Some((settings, skipped))
}

/// The JSON Schema (draft 2020-12) of a scenario file.
pub fn schema() -> Json {
    let mut defs = Definitions::default();
    let root = Spec::schema(&mut defs);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A scenario of dynamo-sim",
        "$ref": root["$ref"],
        "$defs": defs.into_json(),
    })
}
