//! Offers MCP servers that are there already to a hub: for each a client of it on one side, a
//! provider on the other, and JSON that passes through as it came.

mod call;
mod conversation;
pub mod guard;
pub(crate) mod headers;
pub mod http;
mod introduction;
mod link;
mod listing;
mod offering;
mod questions;
pub mod selection;
pub mod servers;
pub mod stdio;

pub use self::offering::{Bridge, Ended};
