//! Every distribution of a scenario with its path: what is checked of all of them is written once.

use super::containers::Mechanism;
use super::scalars::Size;
use super::spec::{Arrival, Chaos, DistSpec, Quantity, Spec};
use crate::kernel::time::Span;

/// A distribution of durations or of sizes.
#[derive(Clone, Copy, Debug)]
pub enum DistAt<'a> {
    /// Of durations.
    Duration(&'a DistSpec<Span>),
    /// Of sizes.
    Size(&'a DistSpec<Size>),
}

/// The outermost distributions with their paths, and whether each is a delay, which knows its leg.
pub fn outermost(spec: &Spec) -> Vec<(String, DistAt<'_>, bool)> {
    let mut all: Vec<(String, DistAt<'_>, bool)> = Vec::new();
    let mut add = |path: String, dist, delay| all.push((path, dist, delay));
    let network = &spec.network;
    add("network.within_region".into(), DistAt::Duration(&network.within_region), true);
    for (name, delay) in [
        ("within_rack", &network.within_rack),
        ("between_regions", &network.between_regions),
        ("client", &network.client),
    ] {
        if let Some(delay) = delay {
            add(format!("network.{name}"), DistAt::Duration(delay), true);
        }
    }
    for (number, link) in network.links.iter().enumerate() {
        if let Some(delay) = &link.delay {
            add(format!("network.links.{number}.delay"), DistAt::Duration(delay), true);
        }
    }
    let storage = &spec.cluster.storage;
    add("cluster.storage.read".into(), DistAt::Duration(&storage.read), false);
    add("cluster.storage.write".into(), DistAt::Duration(&storage.write), false);
    if let Mechanism::On(cache) = &storage.cache {
        add("cluster.storage.cache.hit".into(), DistAt::Duration(&cache.hit), false);
    }
    for group in &spec.clients {
        let path = format!("clients.{}", group.name);
        if let Arrival::Closed(closed) = &group.arrival {
            add(format!("{path}.arrival.closed.think"), DistAt::Duration(&closed.think), false);
        }
        add(format!("{path}.read_after"), DistAt::Duration(&group.read_after), false);
        add(format!("{path}.value_size"), DistAt::Size(&group.value_size), false);
    }
    for (number, step) in spec.script.iter().enumerate() {
        if let Some(plus) = &step.plus {
            add(format!("script.{number}.plus"), DistAt::Duration(plus), false);
        }
        if let Some(extra) = step.link.as_ref().and_then(|link| link.extra.as_ref()) {
            add(format!("script.{number}.link.extra"), DistAt::Duration(extra), true);
        }
    }
    if let Some(chaos) = &spec.chaos {
        of_chaos(chaos, &mut add);
    }
    all
}

fn of_chaos<'a>(chaos: &'a Chaos, add: &mut impl FnMut(String, DistAt<'a>, bool)) {
    macro_rules! class {
        ($($name:ident: $($field:ident $json:literal),+;)+) => {
            $( if let Mechanism::On(class) = &chaos.$name {
                $( add(format!("chaos.{}.{}", stringify!($name), $json), DistAt::Duration(&class.$field), false); )+
            } )+
        };
    }
    class! {
        crash: every "every", for_ "for";
        pause: every "every", for_ "for";
        slow: every "every", for_ "for";
        cut: every "every", for_ "for";
        link: every "every", for_ "for";
        skew: every "every", for_ "for", by "by";
        wipe: every "every";
        join: every "every";
        leave: every "every";
    }
    if let Mechanism::On(class) = &chaos.link
        && let Some(extra) = &class.extra
    {
        add("chaos.link.extra".into(), DistAt::Duration(extra), true);
    }
}

/// All distributions with the paths of their fields, also those inside others.
pub fn distributions(spec: &Spec) -> Vec<(String, DistAt<'_>)> {
    let mut all = Vec::new();
    for (path, dist, _) in outermost(spec) {
        match dist {
            DistAt::Duration(dist) => walk(path, dist, &mut all, DistAt::Duration),
            DistAt::Size(dist) => walk(path, dist, &mut all, DistAt::Size),
        }
    }
    all
}

fn walk<'a, T: Quantity>(
    path: String,
    dist: &'a DistSpec<T>,
    all: &mut Vec<(String, DistAt<'a>)>,
    wrap: fn(&'a DistSpec<T>) -> DistAt<'a>,
) {
    let form = form_of(dist);
    let here = if form.is_empty() { path.clone() } else { format!("{path}.{form}") };
    all.push((here.clone(), wrap(dist)));
    match dist {
        DistSpec::Mixture(parts) => {
            for (number, part) in parts.iter().enumerate() {
                walk(format!("{here}.{number}.of"), &part.of, all, wrap);
            }
        }
        DistSpec::Shifted(shifted) => walk(format!("{here}.of"), &shifted.of, all, wrap),
        DistSpec::Scaled(scaled) => walk(format!("{here}.of"), &scaled.of, all, wrap),
        DistSpec::ByLeg(legs) => {
            for (leg, dist) in legs.iter() {
                walk(format!("{here}.{leg}"), dist, all, DistAt::Duration);
            }
        }
        _ => {}
    }
}

/// The form's name in a path; nothing for a constant.
pub fn form_of<T: Quantity>(dist: &DistSpec<T>) -> &'static str {
    match dist {
        DistSpec::Constant(_) => "",
        DistSpec::Uniform(_) => "uniform",
        DistSpec::Exponential(_) => "exponential",
        DistSpec::Normal(_) => "normal",
        DistSpec::Lognormal(_) => "lognormal",
        DistSpec::Pareto(_) => "pareto",
        DistSpec::Weibull(_) => "weibull",
        DistSpec::Gamma(_) => "gamma",
        DistSpec::Mixture(_) => "mixture",
        DistSpec::Quantiles(_) => "quantiles",
        DistSpec::Samples(_) => "samples",
        DistSpec::Shifted(_) => "shifted",
        DistSpec::Scaled(_) => "scaled",
        DistSpec::Published(_) => "published",
        DistSpec::ByLeg(_) => "by_leg",
    }
}
