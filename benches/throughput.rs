//! Client operations per second of the two reference cases, whole protocol.
fn main() {}
