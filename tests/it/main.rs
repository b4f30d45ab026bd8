//! All tests that see the hub from outside, in one binary.

#![expect(clippy::panic, reason = "a test that fails panics")]

mod api;
mod asked;
mod bad_input;
mod cli;
mod config;
mod conformance;
mod connect;
mod connections;
mod conversation;
mod failover;
mod forwarded;
mod frames;
mod fuzz;
mod guard;
mod hostile;
mod input_required;
mod keys;
mod limits;
mod pages;
mod permissions;
mod plugin_cli;
mod plugins;
mod protocol;
mod provider;
mod provider_client;
mod questions;
mod resuming;
mod revisions;
mod sdk;
mod seen;
mod shutdown;
mod siege;
mod storm;
mod streaming;
mod support;
mod tidy;
mod tls;
mod traces;
mod users;
mod verbatim;
mod witnesses;
