//! What providers send, and what plugins are made of.

use std::path::Path;

use bytestring::ByteString;
use mcp_hub_sandbox::Outline;
use serde_json::Value;

use super::{DEPTH_MAX, is_told, text};
use crate::{
    model::{json, limits::bytes},
    provider::{
        plugin::{Options, manifest::Manifest},
        remote::frame::{About, CallParams, Incoming, Register, notice, tell},
    },
};

/// A frame that is read says what a parser of the whole finds, and a notice that is passed on is read
/// as the same again.
pub fn provider_frame(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let incoming = match Incoming::parse(&ByteString::from(text), DEPTH_MAX) {
        Ok(incoming) => incoming,
        Err(fault) => return is_told(&fault),
    };
    let whole = serde_json::from_str::<Value>(text).ok();
    let says = |member: &str, said: &str| {
        if let Some(whole) = &whole {
            let said: Value = serde_json::from_str(said).expect("a part of JSON is JSON");
            assert_eq!(said, whole[member], "{member}");
        }
    };
    let (method, params) = match &incoming {
        Incoming::Answer { outcome: Ok(result), .. } => return says("result", result.as_str()),
        Incoming::Answer { outcome: Err(_), .. } => return,
        Incoming::Request { id, method, params } => {
            says("id", id.as_str());
            (method, params)
        }
        Incoming::Notification { method, params } => (method, params),
    };
    let Some(params) = params else { return };
    says("params", params.as_str());
    if let Ok(register) = json::object::<Register<'_>>(params.as_str()) {
        let _about = json::object::<About<'_>>(register.provider.get());
    }
    let _call = json::object::<CallParams<'_>>(params.as_str());
    let Some((id, said)) = notice(method, params) else { return };
    let told = ByteString::from(tell(id, &said));
    let Ok(Incoming::Notification { method: again, params: Some(params) }) =
        Incoming::parse(&told, DEPTH_MAX)
    else {
        unreachable!("the hub writes what is no notification: {told}");
    };
    assert_eq!(again, *method);
    let (same, told_again) = notice(&again, &params).expect("a notice");
    assert_eq!((same, tell(same, &told_again)), (id, told.to_string()));
}

/// A manifest grants no variable of the hub's own and no more than the operator permits.
pub fn plugin_manifest(bytes: &[u8]) {
    const VALUE: &str = "the value of a variable";
    let Some(text) = text(bytes) else { return };
    let manifest = match Manifest::parse(text) {
        Ok(manifest) => manifest,
        Err(fault) => return is_told(&fault),
    };
    let options = Options::default();
    match manifest.bounds(&options) {
        Ok(bounds) => {
            assert!((1..=self::bytes(options.memory_max)).contains(&bounds.memory));
            assert!((1..=self::bytes(options.output_max)).contains(&bounds.output));
            assert!(!bounds.time.is_zero() && bounds.time <= options.time_max);
        }
        Err(fault) => is_told(&fault),
    }
    let here = Path::new("/nowhere/at/all/plugins");
    let variable = |name: &str| {
        assert!(!name.starts_with("MCP_HUB_"), "{name} is the hub's own");
        Some(VALUE.to_owned())
    };
    match manifest.grants(here, here, variable) {
        Ok(_) => {
            let told = manifest.permissions();
            assert!(!told.iter().any(|told| told.contains(VALUE)), "{told:?}");
        }
        Err(fault) => is_told(&fault),
    }
}

/// A file that is let on to the compiler is a component, and is read the same again.
pub fn component(bytes: &[u8]) {
    match Outline::of(bytes) {
        Ok(outline) => {
            assert!(bytes.starts_with(b"\0asm"));
            assert_eq!(Outline::of(bytes).ok(), Some(outline));
        }
        Err(broken) => is_told(&broken),
    }
}
