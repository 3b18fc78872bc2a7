//! The section `script`: steps, and their faults and commands.

use super::Builder;
use crate::cluster::config::{self as to, When};
use crate::kernel::dist::Dist;
use crate::kernel::ids::NodeId;
use crate::kernel::time::SimTime;
use crate::network::Degrade;
use crate::node::outputs::{Admin, Task};
use crate::node::replica::{DiskFate, FailingAccess};
use crate::scenario::names::Name;
use crate::scenario::spec as from;

impl Builder<'_> {
    /// All steps of the file.
    pub(super) fn script(&mut self) -> Vec<to::Step> {
        let spec = self.spec;
        spec.script.iter().enumerate().map(|(number, step)| self.step(number, step)).collect()
    }

    fn step(&mut self, number: usize, step: &from::Step) -> to::Step {
        let name = step.name.as_ref().map(|name| name.to_string());
        let path = format!("script.{}", name.clone().unwrap_or_else(|| number.to_string()));
        let when = match (&step.at, &step.after) {
            (Some(at), _) => When::At(SimTime(at.0)),
            (None, Some(after)) => When::After {
                step: self.earlier(&format!("{path}.after"), after, number),
                plus: step.plus.as_ref().map_or(Dist::Constant(0), |plus| self.dist(&format!("{path}.plus"), plus)),
            },
            (None, None) => {
                self.fail(&path, "`at` or `after` is missing");
                When::At(SimTime::ZERO)
            }
        };
        let action = self.action(&path, number, step);
        let expect = step.expect.as_ref().map(|expect| self.expectation(&format!("{path}.expect"), step, expect));
        to::Step {
            name,
            when,
            lasts: step.for_.map(|lasts| Dist::Constant(lasts.0)),
            repeat: step.repeat.as_ref().map(|repeat| (repeat.every, repeat.times)),
            action,
            expect,
        }
    }

    /// The number of an earlier step.
    pub(super) fn earlier(&mut self, path: &str, name: &Name, number: usize) -> u32 {
        let earlier = self.spec.script[..number].iter().position(|step| step.name.as_ref() == Some(name));
        if earlier.is_none() {
            self.fail(path, format!("unknown step {:?}", name.0));
        }
        earlier.unwrap_or(0) as u32
    }

    fn action(&mut self, path: &str, number: usize, step: &from::Step) -> to::Action {
        let action = step.action();
        let here = format!("{path}.{}", action.name());
        match action {
            from::Action::Get(_) | from::Action::Put(_) | from::Action::Delete(_) | from::Action::Update(_) => {
                to::Action::Operation(self.operation(path, number, step))
            }
            from::Action::Inspect(inspect) => to::Action::Inspect(match (&inspect.key, &inspect.node) {
                (Some(key), _) => to::Inspect::Key(self.key(key)),
                (None, Some(node)) => to::Inspect::Node(self.node_id(&here, node)),
                (None, None) => {
                    self.fail(&here, "`key` or `node` is missing");
                    to::Inspect::Node(NodeId(0))
                }
            }),
            from::Action::Restart(restart) => to::Action::Restart(self.nodes(&format!("{here}.nodes"), &restart.nodes)),
            from::Action::Join(admin) => {
                let node = self.node_id(&here, &admin.node);
                self.admin(&here, Admin::Join(node), admin.via.as_ref(), &[node])
            }
            from::Action::Leave(admin) => {
                let node = self.node_id(&here, &admin.node);
                self.admin(&here, Admin::Leave(node), admin.via.as_ref(), &[node])
            }
            from::Action::Replace(replace) => {
                let (old, new) = (self.node_id(&here, &replace.node), self.node_id(&here, &replace.with));
                self.admin(&here, Admin::Replace { old, new }, replace.via.as_ref(), &[old, new])
            }
            from::Action::Run(run) => to::Action::Run {
                task: match run.task {
                    from::Task::Gossip => Task::Gossip,
                    from::Task::AntiEntropy => Task::AntiEntropy,
                    from::Task::Hints => Task::Hints,
                },
                node: self.node_id(&here, &run.node),
                with: run.with.as_ref().map(|with| self.node_id(&here, with)),
            },
            fault => to::Action::Fault(self.fault(&here, fault)),
        }
    }

    fn fault(&mut self, here: &str, action: from::Action<'_>) -> to::Fault {
        let path = format!("{here}.nodes");
        match action {
            from::Action::Crash(crash) => to::Fault::Crash {
                nodes: self.nodes(&path, &crash.nodes),
                disk: match crash.disk {
                    from::DiskFate::Kept => DiskFate::Kept,
                    from::DiskFate::TailLost => DiskFate::TailLost,
                    from::DiskFate::Lost => DiskFate::Lost,
                },
            },
            from::Action::Wipe(wipe) => to::Fault::Wipe {
                nodes: self.nodes(&path, &wipe.nodes),
                what: match (&wipe.keys, wipe.fraction) {
                    (Some(keys), _) => to::WipeWhat::Keys(keys.iter().map(|key| self.key(key)).collect()),
                    (None, Some(fraction)) => to::WipeWhat::Fraction(fraction.0),
                    (None, None) => to::WipeWhat::All,
                },
            },
            from::Action::Pause(pause) => to::Fault::Pause { nodes: self.nodes(&path, &pause.nodes) },
            from::Action::Slow(slow) => {
                to::Fault::Slow { nodes: self.nodes(&path, &slow.nodes), storage: slow.storage, network: slow.network }
            }
            from::Action::DiskError(error) => to::Fault::DiskError {
                nodes: self.nodes(&path, &error.nodes),
                on: match error.on {
                    from::DiskErrorOn::Read => FailingAccess::Read,
                    from::DiskErrorOn::Write => FailingAccess::Write,
                    from::DiskErrorOn::Both => FailingAccess::Both,
                },
                chance: error.chance.0,
            },
            from::Action::Skew(skew) => to::Fault::Skew { nodes: self.nodes(&path, &skew.nodes), by: skew.by.0 },
            from::Action::Cut(cut) => {
                to::Fault::Cut(vec![self.cut(here, cut.between.as_deref(), cut.from.as_ref(), cut.to.as_ref())])
            }
            from::Action::Link(link) => to::Fault::Link {
                ends: self.cut(here, link.between.as_deref(), link.from.as_ref(), link.to.as_ref()),
                degrade: Degrade {
                    loss: link.loss.map_or(0.0, |loss| loss.0),
                    duplicate: link.duplicate.map_or(0.0, |duplicate| duplicate.0),
                    slower: link.slower.unwrap_or(1.0),
                    extra: link
                        .extra
                        .as_ref()
                        .map_or(Dist::Constant(0), |extra| self.dist(&format!("{here}.extra"), extra)),
                },
            },
            other => unreachable!("{} is no fault", other.name()),
        }
    }

    /// A command, said at a seed that it is not about unless the file says where; without seeds, at a member.
    fn admin(&mut self, here: &str, command: Admin, via: Option<&Name>, about: &[NodeId]) -> to::Action {
        let via = match via {
            Some(via) => self.node_id(&format!("{here}.via"), via),
            None => {
                let mut known = self.seeds();
                known.extend(self.members());
                known.iter().find(|node| !about.contains(node)).or(known.first()).copied().unwrap_or(NodeId(0))
            }
        };
        to::Action::Admin { command, via }
    }

    /// The number of a key that the script names: all of those have one.
    pub(super) fn key(&self, name: &str) -> crate::kernel::ids::KeyId {
        self.keys.id(name).expect("every key of the script was numbered")
    }
}
