//! Who looks: people and machines that watch the hub.

mod api;
mod file;
pub mod sdk;
mod series;
mod status;
mod urls;

pub use self::{api::Api, series::Series, status::Status, urls::Urls};
