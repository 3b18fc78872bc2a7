//! Sequential consistency (Lamport 1979): one order of all operations that keeps the order of each client. It need not
//! respect time between clients.

use super::seen::{Seen, fingerprint};
use super::{Model, Operation};

/// Whether such an order exists; `None` if `budget` configurations were not enough. Each operation comes with its client;
/// a client's operations follow each other as they were invoked. Those of unknown outcome may be left out, with nothing
/// of the same client after them.
pub fn is_sequential<M: Model>(model: &M, history: &[(u64, Operation<M::Input>)], budget: u64) -> Option<bool> {
    let mut clients: Vec<u64> = history.iter().map(|(client, _)| *client).collect();
    clients.sort_unstable();
    clients.dedup();
    let mut queues: Vec<Vec<&Operation<M::Input>>> = vec![Vec::new(); clients.len()];
    for (client, operation) in history {
        queues[clients.binary_search(client).expect("it is among them")].push(operation);
    }
    for queue in &mut queues {
        queue.sort_by_key(|operation| operation.invoked);
    }
    let mut seen = Seen::new(0);
    let mut states = 0;
    let mut stack = vec![(vec![0_u32; queues.len()], model.initial())];
    while let Some((done, state)) = stack.pop() {
        let rest = |client: usize| &queues[client][done[client] as usize..];
        if (0..queues.len()).all(|client| rest(client).iter().all(|operation| operation.returned.is_none())) {
            return Some(true);
        }
        if !seen.insert(fingerprint(&(&done, &state)), &[]) {
            continue;
        }
        states += 1;
        if states > budget {
            return None;
        }
        for client in (0..queues.len()).rev() {
            let Some(operation) = rest(client).first() else { continue };
            if let Some(after) = model.step(&state, &operation.input) {
                let mut done = done.clone();
                done[client] += 1;
                stack.push((done, after));
            }
        }
    }
    Some(false)
}
