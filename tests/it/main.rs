//! All tests that see the hub from outside, in one binary.

mod cli;
mod conformance;
mod streaming;
mod support;
mod tidy;
mod witnesses;
