//! Who looks: people and machines that watch the hub.

mod api;
pub mod sdk;
mod status;

pub use self::{api::Api, status::Status};
