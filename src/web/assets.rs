//! Style sheets, scripts and pictures of the pages, embedded in the program.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Router,
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
    routing::get,
};
use rust_embed::RustEmbed;

use super::{file::File, nothing};

#[derive(RustEmbed)]
#[folder = "src/web/assets/"]
struct Assets;

/// By their paths below `/assets/`.
type Files = Arc<HashMap<String, File>>;

/// `/assets/…`.
pub(super) fn routes() -> Router {
    let file = |path: &str| Some(File::new(Assets::get(path)?.data, kind(path)));
    let files = Assets::iter().filter_map(|path| Some((path.to_string(), file(&path)?)));
    let files: Files = Arc::new(files.collect());
    Router::new().route("/assets/{*path}", get(asset)).with_state(files)
}

async fn asset(
    State(files): State<Files>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Response {
    match files.get(&path) {
        Some(file) => file.answer(&headers),
        None => nothing().await,
    }
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}
