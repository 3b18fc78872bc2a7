//! Figures drawn.
