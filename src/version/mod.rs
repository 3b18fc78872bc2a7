//! Versions of values: what a replica stores under a key and how two of them compare.
