//! Who looks: people and machines that watch the hub.

mod api;
mod status;

pub use self::{api::Api, status::Status};
