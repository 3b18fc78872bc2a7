//! Regularity of a register with several writers: one order of all writes that respects time, with which each read agrees
//! by itself. Reads need not agree with each other, so a newer value may be followed by an older one.
//!
//! A read of a write `w` agrees if every write that was over before the read began comes before `w` or is `w`, and `w`
//! began before the read was over. So the order exists if and only if "must come before" has no cycle. What begins after a
//! read may come before what it read, as long as the two overlap. Source: Viotti and Vukolić 2016 (single order, real
//! time from writes on), after Lamport's register of one writer (1986).

use petgraph::algo::toposort;
use petgraph::graph::{Graph, NodeIndex};

use super::Operation;
use super::models::RegisterCall;

/// Whether the history of one register is regular. `None` if that cannot be told from the values: two writes wrote the
/// same one, or there are exchanges.
pub fn is_regular(initial: Option<i64>, history: &[Operation<RegisterCall>]) -> Option<bool> {
    // The beginning is a write that was over before everything.
    let mut writes: Vec<(Option<i64>, Option<&Operation<RegisterCall>>)> = vec![(initial, None)];
    let mut reads = Vec::new();
    for operation in history {
        match operation.input {
            RegisterCall::Write(value) => writes.push((value, Some(operation))),
            RegisterCall::Read(value) => reads.push((value, operation)),
            RegisterCall::Cas { .. } => return None,
        }
    }
    writes.sort_by_key(|(value, operation)| (*value, operation.is_some()));
    if writes.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return None;
    }
    let mut order: Graph<(), ()> = Graph::with_capacity(writes.len(), writes.len());
    let nodes: Vec<NodeIndex> = writes.iter().map(|_| order.add_node(())).collect();
    let mut by_return: Vec<usize> = (0..writes.len()).collect();
    by_return.sort_by_key(|&write| writes[write].1.map_or((0, 0), |w| (1, w.returned.unwrap_or(u64::MAX))));
    let is_over = |write: usize, at: u64| writes[write].1.is_none_or(|w| w.returned.is_some_and(|end| end < at));
    // Chains instead of all pairs: a write over before another begins is over before the one that ended last of these,
    // or overlaps it. A gate for each prefix of `by_return` says "all of these", and each gate holds the one before.
    let mut gates: Vec<NodeIndex> = Vec::with_capacity(writes.len());
    for &write in &by_return {
        let gate = order.add_node(());
        order.add_edge(nodes[write], gate, ());
        if let Some(&before) = gates.last() {
            order.add_edge(before, gate, ());
        }
        gates.push(gate);
    }
    let over_before = |at: u64| by_return.partition_point(|&write| is_over(write, at));
    for (number, (_, operation)) in writes.iter().enumerate() {
        if let Some(write) = operation {
            order.add_edge(gates[over_before(write.invoked) - 1], nodes[number], ());
        }
    }
    for (value, read) in reads {
        let Ok(number) = writes.binary_search_by_key(&value, |(value, _)| *value) else { return Some(false) };
        if writes[number].1.is_some_and(|write| read.is_before(write)) {
            return Some(false);
        }
        // All that were over, but for the one that was read: it may be among them.
        let over = over_before(read.invoked);
        let own = by_return[..over].iter().position(|&write| write == number);
        match own {
            None => {
                order.add_edge(gates[over - 1], nodes[number], ());
            }
            Some(own) => {
                if own > 0 {
                    order.add_edge(gates[own - 1], nodes[number], ());
                }
                for &write in &by_return[own + 1..over] {
                    order.add_edge(nodes[write], nodes[number], ());
                }
            }
        }
    }
    Some(toposort(&order, None).is_ok())
}
