//! All tests that see the hub from outside, in one binary.

#![expect(clippy::panic, reason = "a test that fails panics")]

mod bad_input;
mod cli;
mod conformance;
mod input_required;
mod protocol;
mod streaming;
mod support;
mod tidy;
mod verbatim;
mod witnesses;
