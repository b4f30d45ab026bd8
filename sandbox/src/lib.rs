//! Runs one WASI component within bounds: nothing but what it was granted, and never for long.
//!
//! A [`Sandbox`] is one engine for all components. [`Sandbox::load`] makes a [`Plugin`] of native
//! code that [`compile`] made, in another process, of a component. Each call of the plugin
//! runs in a fresh instance ([`state`]), which reaches the outside through [`host`], [`http`],
//! [`files`] and [`stdio`] and nowhere else, is measured by [`bounds`], and is moved off the caller's
//! threads when it takes longer than a moment ([`endure`]).

pub mod bounds;
mod clock;
pub mod denials;
mod endure;
mod engine;
pub mod failure;
mod files;
pub mod grants;
mod host;
mod http;
pub mod inspect;
mod instance;
pub mod network;
mod plugin;
pub mod reflect;
pub mod resolver;
mod results;
mod state;
mod stdio;

pub use self::{
    bounds::Bounds,
    engine::{Layout, NoSandbox, Options, Sandbox, compile},
    failure::{Broken, CallError, Cause, Failure},
    grants::Grants,
    host::Listener,
    inspect::Outline,
    plugin::{Listed, Plugin, Request, Settings},
};
