//! From bytes to text: UTF-8, UTF-16, and the Latin alphabets of old pages.

/// How far into a page its character set may be named (HTML standard, 13.2.3.2), in bytes.
const PRESCAN: usize = 1024;

/// Reads a page. The character set is, first that counts: a byte order mark, `content_type`, what
/// the page says itself, UTF-8 if it is that, Windows-1252.
pub fn decode(bytes: Vec<u8>, content_type: &str) -> Result<String, String> {
    if let Some(bytes) = bytes.strip_prefix(b"\xef\xbb\xbf") {
        return Ok(String::from_utf8_lossy(bytes).into_owned());
    }
    if let Some(bytes) = bytes.strip_prefix(b"\xff\xfe") {
        return Ok(utf_16(bytes, u16::from_le_bytes));
    }
    if let Some(bytes) = bytes.strip_prefix(b"\xfe\xff") {
        return Ok(utf_16(bytes, u16::from_be_bytes));
    }
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(PRESCAN)]);
    let Some(label) = label(content_type).or_else(|| label(&start)) else {
        return Ok(String::from_utf8(bytes).unwrap_or_else(|error| {
            error.as_bytes().iter().map(|&byte| windows_1252(byte)).collect()
        }));
    };
    match label.as_str() {
        "utf-8" | "utf8" => Ok(String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())),
        // Whoever says Latin-1 means Windows-1252 (Encoding standard, 4.2).
        "iso-8859-1" | "iso8859-1" | "latin1" | "latin-1" | "l1" | "us-ascii" | "ascii"
        | "windows-1252" | "cp1252" | "x-cp1252" => {
            Ok(bytes.iter().map(|&byte| windows_1252(byte)).collect())
        }
        "iso-8859-15" | "iso8859-15" | "latin9" | "latin-9" | "l9" => {
            Ok(bytes.iter().map(|&byte| iso_8859_15(byte)).collect())
        }
        "utf-16" | "utf-16le" => Ok(utf_16(&bytes, u16::from_le_bytes)),
        "utf-16be" => Ok(utf_16(&bytes, u16::from_be_bytes)),
        // What is UTF-8 throughout is that, whatever it says of itself.
        _ => String::from_utf8(bytes)
            .map_err(|_| format!("the page is written in {label}, which cannot be read here")),
    }
}

/// What follows `charset=`.
fn label(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let (_, rest) = text.split_once("charset")?;
    let rest = rest.trim_start().strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"-_.:".contains(c));
    let label = &rest[..end.unwrap_or(rest.len())];
    (!label.is_empty()).then(|| label.to_owned())
}

fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    let chars = char::decode_utf16(units);
    chars.map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

pub fn windows_1252(byte: u8) -> char {
    const C1: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}',
        'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => C1[usize::from(byte - 0x80)],
        byte => char::from(byte),
    }
}

fn iso_8859_15(byte: u8) -> char {
    match byte {
        0xa4 => '€',
        0xa6 => 'Š',
        0xa8 => 'š',
        0xb4 => 'Ž',
        0xb8 => 'ž',
        0xbc => 'Œ',
        0xbd => 'œ',
        0xbe => 'Ÿ',
        byte => char::from(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_alphabets_are_read() {
        let read = |bytes: &[u8], kind: &str| decode(bytes.to_vec(), kind);
        assert_eq!(read(b"caf\xe9 \x80", "text/html; charset=ISO-8859-1"), Ok("café €".into()));
        assert_eq!(read(b"\xa4", "text/html; charset=\"iso-8859-15\""), Ok("€".into()));
        assert_eq!(
            read(b"<meta charset=latin1>\xe9", "text/html"),
            Ok("<meta charset=latin1>é".into())
        );
        assert_eq!(read("é".as_bytes(), "text/html"), Ok("é".into()));
        assert_eq!(read(b"\xe9", ""), Ok("é".into()));
        assert_eq!(read(b"\xff\xfeh\0i\0", ""), Ok("hi".into()));
        assert_eq!(read(b"abc", "text/html; charset=koi8-r"), Ok("abc".into()));
        assert!(read(b"\xc1", "text/html; charset=koi8-r").is_err_and(|e| e.contains("koi8-r")));
    }
}
