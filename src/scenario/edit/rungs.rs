//! A ladder from the conditions of the WARS model to a scenario as it is: each rung has one more of the things that
//! the model leaves out (Bailis et al., "Probabilistically Bounded Staleness", §5.1 and §6).
//!
//! The scenario is taken down from its top: a rung is the scenario without what the rungs above it bring.

use serde_json::{Value as Json, json};

use super::nodes::listed;
use super::{list, list_mut, remove, retain, set};
use crate::scenario::world::World;

/// What a rung brings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rung {
    /// The way between clients and the nodes that they contact.
    ClientHop,
    /// Coordinators that are replicas, and operations that are passed on to one.
    Routing,
    /// Loss, duplicates, order and bandwidth of the network.
    Network,
    /// Service times, queues, caches and buffers.
    Storage,
    /// Keys that are shared and all else that clients do.
    Workload,
    /// Timeouts, retries and stand-ins.
    Timeouts,
    /// The script, random faults and gossip.
    Faults,
    /// Hinted handoff.
    Hints,
    /// Read repair.
    ReadRepair,
    /// Anti-entropy.
    AntiEntropy,
}

impl Rung {
    /// All of them, from the lowest.
    pub const ALL: [Rung; 10] = [
        Rung::ClientHop,
        Rung::Routing,
        Rung::Network,
        Rung::Storage,
        Rung::Workload,
        Rung::Timeouts,
        Rung::Faults,
        Rung::Hints,
        Rung::ReadRepair,
        Rung::AntiEntropy,
    ];

    /// What it brings, in a few words.
    pub const fn brings(self) -> &'static str {
        match self {
            Rung::ClientHop => "client hop",
            Rung::Routing => "replicas coordinate",
            Rung::Network => "loss, order, pipes",
            Rung::Storage => "storage",
            Rung::Timeouts => "timeouts, stand-ins",
            Rung::Faults => "faults, gossip",
            Rung::Hints => "hints",
            Rung::ReadRepair => "read repair",
            Rung::AntiEntropy => "anti-entropy",
            Rung::Workload => "workload",
        }
    }

    /// `whole` is the scenario with all its rungs.
    fn take_away(self, tree: &mut Json, whole: &Json, world: &World) {
        match self {
            Rung::ClientHop => without_client_hop(tree),
            Rung::Routing => without_routing(tree, whole, world),
            Rung::Network => plain_network(tree),
            Rung::Storage => _ = remove(section(tree, "cluster"), "storage"),
            Rung::Timeouts => without_timeouts(tree),
            Rung::Faults => {
                remove(tree, "script");
                remove(tree, "chaos");
                set(section(section(tree, "cluster"), "membership"), "gossip_every", json!("never"));
            }
            Rung::Hints => set(section(tree, "cluster"), "hints", json!("off")),
            Rung::ReadRepair => set(section(tree, "cluster"), "read_repair", json!("off")),
            Rung::AntiEntropy => set(section(tree, "cluster"), "anti_entropy", json!("off")),
            Rung::Workload => groups(tree).for_each(plain_work),
        }
    }
}

/// The scenario without expectations, and with nothing of what these rungs and those above them bring: `from` is the
/// number of the lowest rung that is missing. `tree` is of one setting, and `world` is who is there.
pub fn below(tree: &Json, world: &World, from: usize) -> Json {
    let mut low = tree.clone();
    remove(&mut low, "expect");
    for rung in Rung::ALL[from..].iter().rev() {
        rung.take_away(&mut low, tree, world);
    }
    low
}

/// A section of an object, which becomes one if it is only named.
fn section<'a>(tree: &'a mut Json, name: &str) -> &'a mut Json {
    if !tree.get(name).is_some_and(Json::is_object) {
        set(tree, name, json!({}));
    }
    tree.get_mut(name).expect("it was set just now")
}

fn groups(tree: &mut Json) -> impl Iterator<Item = &mut Json> {
    list_mut(tree, "clients").into_iter().flatten()
}

/// Whether a group coordinates by itself: then its way to the nodes is no client hop but the legs of the model.
fn is_driven(group: &Json) -> bool {
    let routing = group.get("routing");
    routing.is_some_and(|routing| routing == "client_driven" || routing.get("client_driven").is_some())
}

fn without_client_hop(tree: &mut Json) {
    if list(tree, "clients").iter().any(is_driven) {
        return;
    }
    set(section(tree, "network"), "client", json!("0s"));
}

/// Beside each node that a client may contact and that holds data stands one that only coordinates, and is contacted.
/// Clients are as near to all of them as they were to those of their region.
fn without_routing(tree: &mut Json, whole: &Json, world: &World) {
    set(section(section(tree, "cluster"), "coordination"), "write_coordinator", json!("contacted"));
    let mut beside: Vec<Option<String>> = vec![None; world.nodes.len()];
    let mut all = Vec::new();
    for (group, own) in list(tree, "clients").iter().zip(list(whole, "clients")) {
        // Who reads what others wrote has another coordinator than they had, perhaps of another region.
        let reads_own = own.get("mix").is_some_and(|mix| mix.get("write_then_read").is_some());
        all.extend(if is_driven(group) { vec![group.clone()] } else { moved(group, reads_own, world, &mut beside) });
    }
    set(tree, "clients", json!(all));
    if beside.iter().all(Option::is_none) {
        return;
    }
    *tree = listed(tree, world);
    let cluster = section(tree, "cluster");
    let nodes = list_mut(cluster, "nodes").expect("nodes are listed");
    for (node, name) in world.nodes.iter().zip(&beside) {
        if let Some(name) = name {
            nodes.push(json!({ "name": name, "region": node.region, "rack": node.rack, "capacity": 0 }));
        }
    }
    // Regions and racks keep their numbers although nodes name them now.
    if world.regions.len() > 1 && cluster.get("regions").is_none() {
        set(cluster, "regions", json!(world.regions));
    }
    let name = |text: &str| {
        let at = world.nodes.iter().position(|node| node.name == text)?;
        beside[at].clone()
    };
    // What is said of a node's links is said of the one beside it.
    for link in list_mut(section(tree, "network"), "links").into_iter().flatten() {
        for end in ["from", "to"] {
            if let Some(end) = link.get_mut(end) {
                widen(end, &name);
            }
        }
        list_mut(link, "between").into_iter().flatten().for_each(|end| widen(end, &name));
    }
}

fn widen(selector: &mut Json, beside: &impl Fn(&str) -> Option<String>) {
    let members: Vec<Json> = match &*selector {
        Json::Array(members) => members.clone(),
        one => vec![one.clone()],
    };
    let more: Vec<Json> = members.iter().filter_map(|one| Some(json!(beside(one.as_str()?)?))).collect();
    if !more.is_empty() {
        *selector = json!([members, more].concat());
    }
}

/// The group with coordinators that are no replicas; one group for each region if it is spread over several and its
/// sessions read what they have written themselves.
fn moved(group: &Json, reads_own: bool, world: &World, beside: &mut [Option<String>]) -> Vec<Json> {
    let balancer = group.get("routing").and_then(|routing| routing.get("load_balancer"));
    let among = balancer.and_then(|balancer| balancer.get("among")).filter(|among| *among != "near");
    let is_ring_aware =
        group.get("routing").is_some_and(|routing| routing == "ring_aware" || routing.get("ring_aware").is_some());
    let location = group.get("location").and_then(Json::as_str).unwrap_or("spread");
    let mut contact = |test: &dyn Fn(usize) -> bool| -> Json {
        let names = (0..world.nodes.len()).filter(|&at| world.nodes[at].member && test(at)).map(|at| {
            let node = &world.nodes[at];
            if node.capacity == 0.0 {
                return node.name.clone();
            }
            let mut name = format!("beside-{}", at + 1);
            while world.nodes.iter().any(|node| node.name == name) {
                name.push('-');
            }
            beside[at] = Some(name.clone());
            name
        });
        json!({ "load_balancer": { "among": names.collect::<Vec<_>>() } })
    };
    let with = |routing: Json| {
        let mut group = group.clone();
        set(&mut group, "routing", routing);
        set(&mut group, "location", json!("nowhere"));
        group
    };
    if let Some(among) = among {
        return vec![with(contact(&|at| is_selected(among, world, at)))];
    }
    // A replica of the key is, over all keys, any node.
    let region_of = |location: &str| match location.split_once(':') {
        Some(("region", region)) => Some(region.to_string()),
        Some(("rack", rack)) => world.racks.iter().find(|(name, _)| name == rack).map(|(_, region)| region.clone()),
        _ => None,
    };
    if let Some(region) = region_of(location).filter(|_| !is_ring_aware) {
        return vec![with(contact(&|at| world.nodes[at].region == region))];
    }
    if is_ring_aware || !reads_own || location == "nowhere" || world.regions.len() < 2 {
        return vec![with(contact(&|_| true))];
    }
    let regions = world.regions.len() as u64;
    let count = group.get("count").and_then(Json::as_u64).unwrap_or(1);
    let parts = world.regions.iter().enumerate().filter_map(|(number, region)| {
        // Each region has its share of the sessions, and of the rate.
        let own = (count + regions - 1 - number as u64) / regions;
        let mut part = with(contact(&|at| world.nodes[at].region == *region));
        if own == 0 {
            return None;
        }
        set(&mut part, "name", json!(format!("{}-{}", group["name"].as_str().unwrap_or("g"), number + 1)));
        set(&mut part, "count", json!(own));
        if let Some(rate) = part.pointer_mut("/arrival/open/rate") {
            *rate = json!(share_of_rate(rate.as_str().unwrap_or("1/s"), own as f64 / count as f64));
        }
        Some(part)
    });
    parts.collect()
}

fn share_of_rate(rate: &str, share: f64) -> String {
    let (number, unit) = rate.split_once('/').unwrap_or((rate, "s"));
    let number: f64 = number.trim().parse().unwrap_or(1.0);
    format!("{:.9}/{unit}", number * share)
}

/// Whether a selector names the node: by name, `all`, `rack:` or `region:`, or a list of such.
fn is_selected(selector: &Json, world: &World, at: usize) -> bool {
    let node = &world.nodes[at];
    match selector {
        Json::Array(list) => list.iter().any(|one| is_selected(one, world, at)),
        Json::String(text) => match text.split_once(':') {
            Some(("rack", rack)) => node.rack == rack,
            Some(("region", region)) => node.region == region,
            // Who is drawn, or holds a key, is not known here.
            Some(_) => true,
            None => text == "all" || text.contains(" of ") || node.name == *text,
        },
        _ => false,
    }
}

fn plain_network(tree: &mut Json) {
    const TERMS: [&str; 4] = ["loss", "duplicate", "bandwidth", "fifo"];
    let network = section(tree, "network");
    for term in TERMS {
        remove(network, term);
        list_mut(network, "links").into_iter().flatten().for_each(|link| _ = remove(link, term));
    }
    retain(network, "links", |link| link.get("delay").is_some());
}

fn without_timeouts(tree: &mut Json) {
    let cluster = section(tree, "cluster");
    let coordination = section(cluster, "coordination");
    set(coordination, "timeout", json!("never"));
    set(coordination, "peer_timeout", json!("never"));
    set(section(cluster, "replication"), "quorum", json!("strict"));
    for group in groups(tree) {
        set(group, "timeout", json!("never"));
        remove(group, "retries");
        remove(group, "quorum");
    }
}

/// Each operation is a write to a new key and a read of it at once.
fn plain_work(group: &mut Json) {
    set(group, "keys", json!("new"));
    set(group, "mix", json!({ "write_then_read": 1 }));
    for field in ["read_after", "data", "value_size", "context", "preload", "key_prefix", "one_at_a_time"] {
        remove(group, field);
    }
    if let Some(open) = group.pointer_mut("/arrival/open") {
        remove(open, "phases");
    }
    if group.get("arrival").is_some_and(|arrival| arrival.get("trace").is_some()) {
        set(group, "arrival", json!({ "open": { "rate": "1000/s" } }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::load;
    use crate::scenario::source::Memory;

    const FILE: &str = r#"{ "version": 1, "duration": "2s",
        "cluster": { "nodes": 4, "regions": ["e", "w"], "read_repair": { "mode": "blocking" }, "storage": { "read": "1ms" } },
        "network": { "between_regions": "40ms", "loss": 0.01,
          "links": [ { "between": ["n1", "n2"], "delay": "7ms" }, { "from": "n3", "to": "n4", "fifo": true } ] },
        "clients": [ { "name": "users", "count": 3, "arrival": { "open": { "rate": "300/s" } },
          "keys": "new", "mix": { "write_then_read": 1, "get": 1 } } ],
        "script": [ { "name": "down", "at": "1s", "crash": { "nodes": "n1" } } ],
        "expect": [ { "metric": "get.count", "window": "down", "above": 1 } ] }"#;

    fn world(tree: &Json) -> World {
        let loaded =
            load(&Memory::new("rung.json", &tree.to_string()), &[]).unwrap_or_else(|errors| panic!("{errors}"));
        World::of(&loaded.settings[0].spec)
    }

    #[test]
    fn the_lowest_rung_has_the_conditions_of_the_model() {
        let tree: Json = serde_json::from_str(FILE).expect("it is JSON");
        let low = below(&tree, &world(&tree), 0);
        let coordinator = |n: u32, region: &str, rack: &str| json!({ "name": format!("beside-{n}"), "region": region, "rack": rack, "capacity": 0 });
        assert_eq!(
            low["cluster"]["nodes"].as_array().map(|nodes| &nodes[4..]),
            Some(
                &[
                    coordinator(1, "e", "r1"),
                    coordinator(2, "w", "r2"),
                    coordinator(3, "e", "r1"),
                    coordinator(4, "w", "r2")
                ][..]
            )
        );
        assert_eq!(
            low["network"],
            json!({ "between_regions": "40ms", "client": "0s",
                "links": [ { "between": [["n1", "beside-1"], ["n2", "beside-2"]], "delay": "7ms" } ] })
        );
        let work = |n: u32, count: u32, rate: &str, among: [&str; 2]| {
            json!({ "name": format!("users-{n}"), "count": count, "arrival": { "open": { "rate": rate } }, "keys": "new",
                "mix": { "write_then_read": 1 }, "timeout": "never", "location": "nowhere",
                "routing": { "load_balancer": { "among": among } } })
        };
        assert_eq!(
            low["clients"],
            json!([
                work(1, 2, "200.000000000/s", ["beside-1", "beside-3"]),
                work(2, 1, "100.000000000/s", ["beside-2", "beside-4"])
            ])
        );
        assert!(low.get("script").is_none() && low.get("expect").is_none() && low["cluster"].get("storage").is_none());
        assert_eq!(low["cluster"]["coordination"]["write_coordinator"], "contacted");
        assert_eq!(low["cluster"]["read_repair"], "off");
    }

    #[test]
    fn who_reads_what_others_wrote_meets_any_coordinator() {
        let text = FILE.replace(r#""write_then_read": 1, "get""#, r#""put": 1, "get""#);
        let tree: Json = serde_json::from_str(&text).expect("it is JSON");
        let low = below(&tree, &world(&tree), 0);
        let clients = low["clients"].as_array().expect("a list");
        assert_eq!((clients.len(), &clients[0]["count"]), (1, &json!(3)), "no region has its own");
        let all = json!({ "load_balancer": { "among": ["beside-1", "beside-2", "beside-3", "beside-4"] } });
        assert_eq!(clients[0]["routing"], all);
    }

    #[test]
    fn every_rung_is_a_scenario_and_the_top_is_the_file() {
        let tree: Json = serde_json::from_str(FILE).expect("it is JSON");
        let who = world(&tree);
        for from in 0..=Rung::ALL.len() {
            world(&below(&tree, &who, from));
        }
        let mut top = tree.clone();
        remove(&mut top, "expect");
        assert_eq!(below(&tree, &who, Rung::ALL.len()), top);
    }
}
