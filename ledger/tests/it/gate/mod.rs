//! The balance gate: one contract suite for every backend, limits, lifetimes, many threads, and random
//! histories against a reference.

mod against_reference;
mod keeping_holds;
mod limits;
mod losses;
mod parallel;
mod reference;
mod same_as_memory;
mod setting;
