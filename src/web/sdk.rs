//! The provider client for JavaScript, ready to be imported from the hub it is for.

use std::{borrow::Cow, future::ready};

use axum::{
    Router,
    http::{HeaderMap, header},
    routing::get,
};

use super::file::File;

/// A module is imported across origins only when its server permits it.
const FOR_ALL: [(header::HeaderName, &str); 1] = [(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")];

/// `/client.ts` and `/client.js`, which is made of it.
pub fn routes() -> Router {
    let javascript = Cow::from(include_bytes!("../../sdk/typescript/client.js").as_slice());
    let javascript = File::new(javascript, "text/javascript; charset=utf-8");
    let typescript = Cow::from(include_bytes!("../../sdk/typescript/client.ts").as_slice());
    let typescript = File::new(typescript, "application/typescript; charset=utf-8");
    // Deno and its like find the types by this header.
    let types = [("x-typescript-types", "./client.ts")];
    let javascript = move |headers: HeaderMap| ready((FOR_ALL, types, javascript.answer(&headers)));
    let typescript = move |headers: HeaderMap| ready((FOR_ALL, typescript.answer(&headers)));
    Router::new().route("/client.js", get(javascript)).route("/client.ts", get(typescript))
}
