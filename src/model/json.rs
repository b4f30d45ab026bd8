//! JSON that the hub passes on unread: one shared piece of text, cut but never copied or rewritten.

use std::{borrow::Cow, fmt, ops::Range};

use bytes::Bytes;
use bytestring::ByteString;
use memchr::memchr2;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess},
};
use serde_json::value::RawValue;
use smallvec::SmallVec;

/// One JSON value as the text that came; cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Json(ByteString);

impl Json {
    /// The piece of `text` that `value` was parsed from, sharing its memory.
    ///
    /// Panics when `value` is not part of `text`; both always come from one parse.
    pub fn cut(text: &ByteString, value: &RawValue) -> Self {
        Self(text.slice_ref(value.get()))
    }

    /// A value made by the hub itself.
    pub fn of(value: &impl serde::Serialize) -> Self {
        Self(serde_json::to_string(value).expect("plain data serialises").into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn text(&self) -> &ByteString {
        &self.0
    }

    /// The bytes of this value, shared.
    pub fn bytes(&self) -> Bytes {
        self.0.as_bytes().clone()
    }

    /// Where `part`, parsed from this value, stands in it.
    pub fn span(&self, part: &RawValue) -> Range<usize> {
        let start = part.get().as_ptr() as usize - self.0.as_ptr() as usize;
        start..start + part.get().len()
    }

    /// A copy in memory of its own: a cut keeps the whole text it was cut from in memory.
    pub fn detached(&self) -> Self {
        Self(ByteString::from(&*self.0))
    }

    pub fn is_object(&self) -> bool {
        self.0.starts_with('{')
    }
}

/// For text that is known to be JSON because the hub put it together.
impl From<String> for Json {
    fn from(json: String) -> Self {
        Self(json.into())
    }
}

impl From<serde_json::Value> for Json {
    fn from(value: serde_json::Value) -> Self {
        Self::from(value.to_string())
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads an object into `T`. Serde would take an array for a structure as well, member by member;
/// in JSON-RPC and MCP that is never what was meant.
pub fn object<'a, T: Deserialize<'a>>(text: &'a str) -> serde_json::Result<T> {
    if text.trim_start().starts_with('[') {
        return Err(Error::custom("an array stands where an object belongs"));
    }
    serde_json::from_str(text)
}

/// A string where it stands, copied only if it is written with escapes. An optional `Cow` would always be
/// copied.
#[derive(Debug, Deserialize)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// For a member of a structure that may be null: with this, null is told from absence.
pub fn present<'de: 'a, 'a, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

/// Why a text is refused before it is parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("the JSON is nested deeper than {max} levels")]
    TooDeep { max: usize },
    #[error("the JSON names the key {key:?} twice in one object")]
    DuplicateKey { key: String },
}

impl Fault {
    /// The key of the limit that the text went beyond, if it did and if it is the hub that reads.
    pub fn limit(&self) -> Option<&'static str> {
        match self {
            Self::TooDeep { .. } => Some("limits.json_depth"),
            Self::DuplicateKey { .. } => None,
        }
    }

    /// What is wrong, in the hub's words: with that key.
    pub fn told(&self) -> String {
        match self.limit() {
            Some(key) => format!("{self} ({key})"),
            None => self.to_string(),
        }
    }
}

/// Bounds the depth of `text` and refuses duplicate keys, in one pass and without recursion.
///
/// Parsers disagree about which of two equal keys counts (RFC 8259 §4), so a text with both could
/// mean one thing to the hub and another to a provider. Whether the text is JSON at all is left to
/// the parser that reads it next: on broken text this finds nothing or something, but never fails.
pub fn check(text: &str, depth_max: usize) -> Result<(), Fault> {
    check_within(0, text, depth_max)
}

/// As [`check`], of a value that stands within so many levels.
fn check_within(levels: usize, text: &str, depth_max: usize) -> Result<(), Fault> {
    let bytes = text.as_bytes();
    // The keys of all open objects; each object's own begin at the index its level remembers.
    let mut keys: SmallVec<[Cow<'_, str>; 16]> = SmallVec::new();
    let mut outer: SmallVec<[Level; 8]> = SmallVec::new();
    let mut level = Level { keys_start: 0, is_object: false, key_is_next: false };
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let (end, has_escapes) = string_end(bytes, at);
                if std::mem::take(&mut level.key_is_next) {
                    let quoted = &text[at..end];
                    keys.push(if has_escapes { unescaped(quoted) } else { plain(quoted).into() });
                }
                at = end;
                continue;
            }
            b'{' | b'[' => {
                if levels + outer.len() >= depth_max {
                    return Err(Fault::TooDeep { max: depth_max });
                }
                let is_object = byte == b'{';
                outer.push(level);
                level = Level { keys_start: keys.len(), is_object, key_is_next: is_object };
            }
            b'}' | b']' => {
                if let Some(around) = outer.pop() {
                    refuse_duplicates(keys[level.keys_start..].iter().map(|key| &**key))?;
                    keys.truncate(level.keys_start);
                    level = around;
                }
            }
            b',' => level.key_is_next = level.is_object,
            _ => {}
        }
        at += 1;
    }
    Ok(())
}

/// Up to so many keys, to compare each with each is faster than to sort them: most differ in length.
const FEW_KEYS: usize = 8;

struct Level {
    keys_start: usize,
    is_object: bool,
    key_is_next: bool,
}

/// The index after the string that opens at `start`, which is the end of the text when it is not closed;
/// and whether it is written with escapes.
fn string_end(bytes: &[u8], start: usize) -> (usize, bool) {
    let mut at = start + 1;
    let mut has_escapes = false;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes[at] == b'"' {
            return (at + 1, has_escapes);
        }
        has_escapes = true;
        at += 2;
    }
    (bytes.len(), has_escapes)
}

/// What stands between the quotes.
fn plain(quoted: &str) -> &str {
    quoted.get(1..quoted.len() - 1).unwrap_or_default()
}

/// A key as it reads: `"\u0061"` and `"a"` are one.
fn unescaped(quoted: &str) -> Cow<'_, str> {
    serde_json::from_str(quoted).map_or(Cow::Borrowed(plain(quoted)), Cow::Owned)
}

fn refuse_duplicates<'k>(
    keys: impl ExactSizeIterator<Item = &'k str> + Clone,
) -> Result<(), Fault> {
    let double = if keys.len() <= FEW_KEYS {
        let earlier = |index| keys.clone().take(index);
        let mut each = keys.clone().enumerate();
        each.find_map(|(index, key)| earlier(index).any(|other| other == key).then_some(key))
    } else {
        let mut sorted: Vec<_> = keys.collect();
        sorted.sort_unstable();
        sorted.windows(2).find_map(|pair| (pair[0] == pair[1]).then_some(pair[0]))
    };
    match double {
        Some(key) => Err(Fault::DuplicateKey { key: key.chars().take(64).collect() }),
        None => Ok(()),
    }
}

/// Refuses, of objects that are parsed member by member, what [`check`] refuses of a whole text: whoever
/// parses so looks at no byte twice, but for those of values that are nested again. Where parsing fails,
/// [`check`] tells whether that is why.
#[derive(Debug, Clone, Copy)]
pub struct Strict {
    pub depth_max: usize,
}

impl Strict {
    /// An object or array opens within so many others.
    pub fn open<E: Error>(self, levels: usize) -> Result<(), E> {
        let max = self.depth_max;
        if levels < max { Ok(()) } else { Err(E::custom(Fault::TooDeep { max })) }
    }

    /// The value of the member that comes next, unread; the object that has it is within so many others.
    pub fn value<'de, A: MapAccess<'de>>(
        self,
        levels: usize,
        map: &mut A,
    ) -> Result<&'de RawValue, A::Error> {
        let value = map.next_value()?;
        self.nested(levels + 1, value)?;
        Ok(value)
    }

    /// A value comes that is within so many objects and arrays.
    pub fn nested<E: Error>(self, levels: usize, value: &RawValue) -> Result<(), E> {
        if !value.get().starts_with(['{', '[']) {
            return Ok(());
        }
        check_within(levels, value.get(), self.depth_max).map_err(E::custom)
    }

    /// An object ends, and these are the keys it has.
    pub fn close<'k, E: Error>(
        self,
        keys: impl ExactSizeIterator<Item = &'k str> + Clone,
    ) -> Result<(), E> {
        refuse_duplicates(keys).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, why: &str) {
        assert_eq!(check(text, 3).expect_err("a fault").to_string(), why);
    }

    #[test]
    fn depth_is_counted_outside_strings_only() {
        check(r#"{"a":[{"b":"[[[[{{{{"}]}"#, 3).unwrap();
        refused(r#"{"a":[{"b":[]}]}"#, "the JSON is nested deeper than 3 levels");
    }

    #[test]
    fn a_key_may_recur_in_another_object_and_as_a_value() {
        check(r#"{"a":{"a":"a"},"b":[{"a":1},{"a":"b"}],"c":"a"}"#, 3).unwrap();
    }

    #[test]
    fn equal_keys_are_found_however_they_are_written() {
        refused(r#"{"a":1,"b":2,"a":3}"#, r#"the JSON names the key "a" twice in one object"#);
        refused(r#"{"a":1,"\u0061":3}"#, r#"the JSON names the key "a" twice in one object"#);
        refused(
            r#"{"n1":1,"n2":1,"n3":1,"n4":1,"n5":1,"n6":1,"n7":1,"n8":1,"n9":1,"n2":2}"#,
            r#"the JSON names the key "n2" twice in one object"#,
        );
        refused(r#"[{"x":{"k":1,"k":1}}]"#, r#"the JSON names the key "k" twice in one object"#);
    }

    #[test]
    fn broken_text_is_left_to_the_parser() {
        for text in ["", "\"", "{\"a", "{\"a\\", "}}]]", "{\"\\", ",", "nonsense", "{\"a\" \"b\"}"]
        {
            check(text, 3).unwrap();
        }
    }
}
