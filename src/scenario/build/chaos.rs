//! The section `chaos`: faults drawn from the seed, as steps after those of the script.

use super::Builder;
use crate::cluster::chaos::{self as to, Nodes, Occurrence};
use crate::cluster::config::Step;
use crate::kernel::dist::Dist;
use crate::kernel::ids::NodeId;
use crate::kernel::time::{SimTime, Span};
use crate::network::Degrade;
use crate::node::replica::DiskFate;
use crate::scenario::names::{Select, Selector};
use crate::scenario::spec::{self as from, DistSpec};

impl Builder<'_> {
    /// The faults of this seed.
    pub(super) fn chaos(&mut self) -> Vec<Step> {
        let Some(chaos) = &self.spec.chaos else { return Vec::new() };
        let Some(config) = self.chaos_config(chaos) else { return Vec::new() };
        let members = self.members();
        let spares = (0..self.world.nodes.len() as u32).map(NodeId).filter(|node| !members.contains(node)).collect();
        let n = self.profiles.iter().map(|profile| u32::from(profile.n)).max().unwrap_or(0);
        let nodes = Nodes { members, spares, seeds: self.seeds(), n };
        to::draw(&config, self.seed, &nodes)
    }

    /// The profile, or nothing if something is wrong with it.
    fn chaos_config(&mut self, chaos: &from::Chaos) -> Option<to::ChaosConfig> {
        let wrong = self.wrong.len();
        let from = chaos.from.unwrap_or(self.spec.warmup);
        let to = chaos.to.or(self.spec.duration).unwrap_or(from);
        let config = to::ChaosConfig {
            from: SimTime(from.0),
            to: SimTime(to.0),
            present: chaos.present.0,
            down_at_once: chaos.down_at_once,
            crash: chaos.crash.as_on().map(|crash| to::Crash {
                occurs: self.occurs("crash", &crash.every, Some(&crash.for_), &crash.among),
                disk: self.weights(
                    "crash.disk",
                    &[
                        (DiskFate::Kept, crash.disk.kept),
                        (DiskFate::TailLost, crash.disk.tail_lost),
                        (DiskFate::Lost, crash.disk.lost),
                    ],
                ),
            }),
            pause: chaos.pause.as_on().map(|pause| self.occurs("pause", &pause.every, Some(&pause.for_), &pause.among)),
            slow: chaos.slow.as_on().map(|slow| to::Slow {
                occurs: self.occurs("slow", &slow.every, Some(&slow.for_), &slow.among),
                storage: slow.storage,
                network: slow.network,
            }),
            cut: chaos.cut.as_on().map(|cut| {
                let shapes = &cut.shapes;
                to::Cut {
                    occurs: self.occurs("cut", &cut.every, Some(&cut.for_), &cut.among),
                    shapes: self.weights(
                        "cut.shapes",
                        &[
                            (to::Shape::Halves, shapes.halves),
                            (to::Shape::Isolate, shapes.isolate),
                            (to::Shape::OneWay, shapes.one_way),
                            (to::Shape::Bridge, shapes.bridge),
                            (to::Shape::MajoritiesRing, shapes.majorities_ring),
                        ],
                    ),
                }
            }),
            link: chaos.link.as_on().map(|link| to::Link {
                occurs: self.occurs("link", &link.every, Some(&link.for_), &link.among),
                degrade: Degrade {
                    loss: link.loss.0,
                    duplicate: link.duplicate.0,
                    slower: link.slower.unwrap_or(1.0),
                    extra: link.extra.as_ref().map_or(Dist::Constant(0), |extra| self.dist("chaos.link.extra", extra)),
                },
            }),
            skew: chaos.skew.as_on().map(|skew| to::Skew {
                occurs: self.occurs("skew", &skew.every, Some(&skew.for_), &skew.among),
                by: self.dist("chaos.skew.by", &skew.by),
            }),
            wipe: chaos.wipe.as_on().map(|wipe| to::Wipe {
                occurs: self.occurs("wipe", &wipe.every, None, &wipe.among),
                fraction: wipe.fraction.0,
            }),
            join: chaos.join.as_on().map(|join| self.occurs("join", &join.every, None, &join.among)),
            leave: chaos.leave.as_on().map(|leave| self.occurs("leave", &leave.every, None, &leave.among)),
        };
        (self.wrong.len() == wrong).then_some(config)
    }

    fn occurs(
        &mut self,
        class: &str,
        every: &DistSpec<Span>,
        lasts: Option<&DistSpec<Span>>,
        among: &Selector,
    ) -> Occurrence {
        let every = self.dist(&format!("chaos.{class}.every"), every);
        if every.compile().is_zero() {
            self.fail(&format!("chaos.{class}.every"), "must be more than 0");
        }
        // "all" leaves it to the class whom it can meet: a spare has nothing to lose.
        let (among, clients) = match among.0[..] {
            [Select::All] => (None, Vec::new()),
            _ => {
                let (nodes, clients) = self.nodes_and_clients(&format!("chaos.{class}.among"), among);
                (Some(nodes), clients)
            }
        };
        Occurrence {
            every,
            lasts: lasts
                .map_or_else(|| Occurrence::default().lasts, |lasts| self.dist(&format!("chaos.{class}.for"), lasts)),
            among,
            clients,
        }
    }

    fn weights<T: Copy>(&mut self, path: &str, weights: &[(T, f64)]) -> Vec<(T, f64)> {
        if !weights.iter().any(|(_, weight)| *weight > 0.0) {
            self.fail(&format!("chaos.{path}"), "no weight is above 0");
        }
        weights.to_vec()
    }
}
