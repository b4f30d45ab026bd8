//! All tests that see the hub from outside, in one binary.

#![expect(clippy::panic, reason = "a test that fails panics")]

mod api;
mod bad_input;
mod cli;
mod config;
mod conformance;
mod connect;
mod failover;
mod frames;
mod fuzz;
mod guard;
mod hostile;
mod input_required;
mod limits;
mod pages;
mod permissions;
mod plugin_cli;
mod plugins;
mod protocol;
mod provider;
mod provider_client;
mod sdk;
mod shutdown;
mod storm;
mod streaming;
mod support;
mod tidy;
mod users;
mod verbatim;
mod witnesses;
