//! Who looks: people and machines that watch the hub.

mod api;
mod assets;
mod cors;
mod file;
mod glance;
mod pages;
pub mod sdk;
mod series;
mod status;
mod urls;
pub mod well_known;

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};

pub use self::{
    api::Api, cors::Cors, glance::Glance, pages::Pages, series::Series, status::Status, urls::Urls,
};

/// Whoever comes upon a path where nothing is.
pub async fn nothing() -> Response {
    (StatusCode::NOT_FOUND, "there is nothing here; the page / explains this hub\n").into_response()
}
