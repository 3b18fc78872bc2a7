//! Operations of scripted clients: who, where to, with which luck.

use super::Builder;
use crate::cluster::config::{ContextSource, Fates, LegFate, ScriptedKind, ScriptedOp};
use crate::kernel::ids::{OpId, SessionId};
use crate::kernel::time::Span;
use crate::network::Leg;
use crate::node::config::ProfileId;
use crate::scenario::names::Name;
use crate::scenario::spec as from;
use crate::version::MergeRule;
use crate::workload::config::ContextRule;

/// How long a scripted client waits for its answer if the file does not say, as other clients do.
const TIMEOUT: Span = Span::from_secs(2);

/// The fields that operations have in common.
struct Common<'s> {
    kind: ScriptedKind,
    key: &'s str,
    via: Option<&'s Name>,
    profile: ProfileId,
    timeout: Option<from::OrNever>,
    reaches: Option<&'s [Name]>,
    legs: Option<&'s from::Legs>,
}

impl Builder<'_> {
    /// The operation of a step.
    pub(super) fn operation(&mut self, path: &str, number: usize, step: &from::Step) -> ScriptedOp {
        let here = format!("{path}.{}", step.action().name());
        let common = match step.action() {
            from::Action::Get(get) => Common {
                kind: ScriptedKind::Get,
                key: &get.key,
                via: get.via.as_ref(),
                profile: self.profile(&here, get.n, get.r, None, get.quorum),
                timeout: get.timeout,
                reaches: get.reaches.as_deref(),
                legs: get.legs.as_ref(),
            },
            from::Action::Put(put) => Common {
                kind: ScriptedKind::Put {
                    value: self.texts.literal(&put.value),
                    context: self.context(&here, &put.context, number),
                },
                key: &put.key,
                via: put.via.as_ref(),
                profile: self.profile(&here, put.n, None, put.w, put.quorum),
                timeout: put.timeout,
                reaches: put.reaches.as_deref(),
                legs: put.legs.as_ref(),
            },
            from::Action::Delete(delete) => Common {
                kind: ScriptedKind::Delete { context: self.context(&here, &delete.context, number) },
                key: &delete.key,
                via: delete.via.as_ref(),
                profile: self.profile(&here, delete.n, None, delete.w, delete.quorum),
                timeout: delete.timeout,
                reaches: delete.reaches.as_deref(),
                legs: delete.legs.as_ref(),
            },
            from::Action::Update(update) => Common {
                kind: self.update(update),
                key: &update.key,
                via: update.via.as_ref(),
                profile: self.profile(&here, None, update.r, update.w, None),
                timeout: update.timeout,
                reaches: None,
                legs: None,
            },
            other => unreachable!("{} is no operation", other.name()),
        };
        ScriptedOp {
            session: self.scripted_session(step),
            kind: common.kind,
            key: self.key(common.key),
            via: common.via.map(|via| self.node_id(&format!("{here}.via"), via)),
            profile: common.profile,
            timeout: common.timeout.map_or(Some(TIMEOUT), |timeout| timeout.0),
            fates: self.fates(&here, common.reaches, common.legs),
            draws: step.draws.as_ref().and_then(|draws| self.draws(&format!("{path}.draws"), draws)),
        }
    }

    fn update(&mut self, update: &from::Update) -> ScriptedKind {
        let mut items = |items: &Option<from::ItemValue>| match items {
            Some(items) => items.as_slice().iter().map(|item| self.texts.number(item)).collect(),
            None => Vec::new(),
        };
        ScriptedKind::Update {
            add: items(&update.add),
            remove: items(&update.remove),
            merge: match update.merge {
                None | Some(from::UpdateMerge::Union) => MergeRule::SetUnion,
                Some(from::UpdateMerge::OrSet) => MergeRule::SetOrSet,
                Some(from::UpdateMerge::Newest) => MergeRule::SetNewest,
                Some(from::UpdateMerge::First) => MergeRule::BlobFirst,
                Some(from::UpdateMerge::Sum) => MergeRule::CounterSum,
            },
        }
    }

    fn context(&mut self, here: &str, context: &from::PutContext, number: usize) -> ContextSource {
        match context {
            from::PutContext::LastSeen => ContextSource::Rule(ContextRule::LastSeen),
            from::PutContext::LastRead => ContextSource::Rule(ContextRule::LastRead),
            from::PutContext::None => ContextSource::Rule(ContextRule::None),
            from::PutContext::Step(name) => ContextSource::Step(self.earlier(&format!("{here}.context"), name, number)),
        }
    }

    /// The session of the step's client: they follow those of the groups.
    fn scripted_session(&self, step: &from::Step) -> SessionId {
        let first = self.first_sessions.last().expect("there is always one after the last group").0;
        let name = step.client.as_ref().expect("an operation has a client");
        let at = self.world.scripted.iter().position(|known| *known == name.0).expect("a client exists by being named");
        SessionId(first + at as u32)
    }

    fn fates(&mut self, here: &str, reaches: Option<&[Name]>, legs: Option<&from::Legs>) -> Fates {
        let mut fates =
            Fates { reaches: reaches.map(|nodes| self.node_ids(&format!("{here}.reaches"), nodes)), legs: Vec::new() };
        let fate = |fate: &from::Fate| match fate {
            from::Fate::After(span) => LegFate::Takes(*span),
            from::Fate::Lost => LegFate::Lost,
        };
        for (name, what) in legs.into_iter().flat_map(from::Map::iter) {
            let path = format!("{here}.legs.{name}");
            let Some(leg) = Leg::ALL.into_iter().find(|leg| leg.name() == name) else {
                self.fail(&path, "unknown leg");
                continue;
            };
            match what {
                from::LegFate::All(all) => fates.legs.push((leg, None, fate(all))),
                from::LegFate::ByNode(nodes) => {
                    for (node, one) in nodes.iter() {
                        let node = self.node_id(&path, node);
                        fates.legs.push((leg, Some(node), fate(one)));
                    }
                }
            }
        }
        fates
    }

    /// `users/2#17`: operation 17 of the second session of `users`, counted from 0 as histories do. Where the
    /// group is no longer in the file, `session 7#17`: that of the seventh session of all groups that were.
    fn draws(&mut self, path: &str, text: &str) -> Option<OpId> {
        let parsed = parse_draws(text).and_then(|Luck { of, session, number }| {
            let session = session.checked_sub(1)?;
            let first_scripted = self.first_sessions.last().expect("there is always one after the last group").0;
            Some(match of {
                LuckOf::Session => OpId::of_session(SessionId(session), number),
                LuckOf::ScriptedSession => OpId::scripted(SessionId(session), number),
                LuckOf::Client(name) => match self.spec.clients.iter().position(|group| group.name.0 == name) {
                    Some(group) if session < self.spec.clients[group].count => {
                        OpId::of_session(SessionId(self.first_sessions[group].0 + session), number)
                    }
                    Some(_) => return None,
                    None => {
                        // A scripted client is one session.
                        let at = self.world.scripted.iter().position(|known| known == name && session == 0)?;
                        OpId::scripted(SessionId(first_scripted + at as u32), number)
                    }
                },
            })
        });
        if parsed.is_none() {
            self.fail(path, format!("no operation of a client (got {text:?}, allowed a group, a session from 1 and a number, like \"users/2#17\", or a session of all, like \"session 7#17\")"));
        }
        parsed
    }
}

/// Whose luck a step has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Luck<'a> {
    of: LuckOf<'a>,
    /// From 1.
    session: u32,
    /// Of the request: an operation takes two numbers, one for each of the requests that it may be made of.
    number: u32,
}

/// Among which sessions one is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum LuckOf<'a> {
    /// Those of a group, or of a scripted client, which is one.
    Client(&'a str),
    /// Those of all groups, in the order of the file; the file may be another one.
    Session,
    /// The same of scripted clients, whose numbers follow those of the groups.
    ScriptedSession,
}

/// `users/2#17`, `session 7#17` or `scripted 7#17`; a `.2` at the end means the operation's second request.
fn parse_draws(text: &str) -> Option<Luck<'_>> {
    let (session, number) = text.split_once('#')?;
    let (number, second) = match number.strip_suffix(".2") {
        Some(number) => (number, 1),
        None => (number, 0),
    };
    // One number more must be left for the second request.
    let number = number.parse::<u32>().ok().filter(|number| *number < (1 << 31) - 1)?;
    let (of, session) = match session.split_once(' ') {
        Some(("session", session)) => (LuckOf::Session, session),
        Some(("scripted", session)) => (LuckOf::ScriptedSession, session),
        Some(_) => return None,
        None => {
            let (name, session) = session.split_once('/')?;
            (LuckOf::Client(name), session)
        }
    };
    // A session's number has 30 bits.
    let session = session.parse().ok().filter(|session| *session < 1 << 30)?;
    Some(Luck { of, session, number: 2 * number + second })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_named_by_group_session_and_number() {
        let luck = |of, session, number| Some(Luck { of, session, number });
        assert_eq!(parse_draws("users/2#17"), luck(LuckOf::Client("users"), 2, 34));
        assert_eq!(parse_draws("users/2#17.2"), luck(LuckOf::Client("users"), 2, 35));
        assert_eq!(parse_draws("session 7#0"), luck(LuckOf::Session, 7, 0));
        assert_eq!(parse_draws("scripted 7#1.2"), luck(LuckOf::ScriptedSession, 7, 3));
        for wrong in
            ["users#17", "users/2", "users/b#1", "users/2#-1", "users/2#4294967295", "session #1", "7#1", "users/2#1.3"]
        {
            assert_eq!(parse_draws(wrong), None, "{wrong}");
        }
    }
}
