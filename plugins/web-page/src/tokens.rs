//! HTML as tags and text, by the rules of the HTML standard (13.2.5) as far as reading needs them:
//! no error ends a page, comments are left out, and entities are what they stand for.

use std::borrow::Cow;

/// A name and a value.
pub type Attribute<'a> = (Cow<'a, str>, Cow<'a, str>);

/// What can be is a part of the page: a large one leaves no room for a second copy.
#[derive(Debug, PartialEq, Eq)]
pub enum Token<'a> {
    Start { name: Cow<'a, str>, attributes: Vec<Attribute<'a>> },
    End(Cow<'a, str>),
    Text(Cow<'a, str>),
}

pub struct Tokens<'a> {
    rest: &'a str,
    /// The element that has just begun and in which there are no tags.
    raw: Option<Cow<'a, str>>,
}

/// Reads a page, token by token.
pub fn tokens(html: &str) -> Tokens<'_> {
    Tokens { rest: html, raw: None }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            if let Some(name) = self.raw.take() {
                let text = self.take(end_of_raw(self.rest, &name));
                let has_entities = matches!(name.as_ref(), "title" | "textarea");
                let text = if has_entities { unescape(text, false) } else { text.into() };
                return Some(Token::Text(text));
            }
            let bytes = self.rest.as_bytes();
            match (bytes.first()?, bytes.get(1), bytes.get(2)) {
                (b'<', Some(b'!'), _) if self.rest.starts_with("<!--") => {
                    // `<!-->` is a comment, too.
                    self.skip_past(2, "-->");
                }
                (b'<', Some(b'!' | b'?'), _) => self.skip_past(2, ">"),
                (b'<', Some(b'/'), Some(c)) if c.is_ascii_alphabetic() => {
                    self.take(2);
                    let name = self.name();
                    self.skip_past(0, ">");
                    return Some(Token::End(name));
                }
                (b'<', Some(b'/'), Some(_)) => self.skip_past(2, ">"),
                (b'<', Some(c), _) if c.is_ascii_alphabetic() => {
                    self.take(1);
                    // A tag that the page ends within is none.
                    return self.tag();
                }
                (first, ..) => {
                    // A bracket that begins nothing is text.
                    let from = usize::from(*first == b'<');
                    let next = self.rest[from..].find('<');
                    let next = next.map_or(self.rest.len(), |next| from + next);
                    return Some(Token::Text(unescape(self.take(next), false)));
                }
            }
        }
    }
}

impl<'a> Tokens<'a> {
    fn tag(&mut self) -> Option<Token<'a>> {
        let name = self.name();
        let mut attributes: Vec<Attribute<'a>> = Vec::new();
        loop {
            self.skip(|c| is_space(c) || c == '/');
            if self.rest.starts_with('>') {
                self.take(1);
                break;
            }
            // An equals sign at the beginning belongs to the name.
            let first = self.rest.chars().next()?.len_utf8();
            let end = self.rest[first..].find(|c| is_space(c) || matches!(c, '/' | '>' | '='));
            let attribute = self.take(end.map_or(self.rest.len(), |end| end + first));
            let attribute = lowercase(attribute);
            self.skip(is_space);
            let mut value = Cow::default();
            if self.rest.starts_with('=') {
                self.take(1);
                self.skip(is_space);
                let text = match self.rest.chars().next()? {
                    quote @ ('"' | '\'') => {
                        self.take(1);
                        let text = self.take(self.rest.find(quote)?);
                        self.take(1);
                        text
                    }
                    _ => self.take(self.rest.find(|c| is_space(c) || c == '>')?),
                };
                value = unescape(text, true);
            }
            // The first of a name counts.
            if attributes.iter().all(|(name, _)| *name != attribute) {
                attributes.push((attribute, value));
            }
        }
        let is_raw = matches!(
            name.as_ref(),
            "script" | "style" | "title" | "textarea" | "xmp" | "iframe" | "noembed" | "noframes"
        );
        self.raw = is_raw.then(|| name.clone());
        Some(Token::Start { name, attributes })
    }

    fn name(&mut self) -> Cow<'a, str> {
        let end = self.rest.find(|c| is_space(c) || matches!(c, '/' | '>'));
        lowercase(self.take(end.unwrap_or(self.rest.len())))
    }

    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    fn skip(&mut self, is: impl Fn(char) -> bool) {
        self.rest = self.rest.trim_start_matches(is);
    }

    /// Skips what follows after `length` bytes, up to and with `end`, or all there is.
    fn skip_past(&mut self, length: usize, end: &str) {
        let at = self.rest[length..].find(end).map(|at| length + at + end.len());
        self.take(at.unwrap_or(self.rest.len()));
    }
}

fn lowercase(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        name.to_ascii_lowercase().into()
    } else {
        name.into()
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c')
}

/// Where the end tag of an element is in which there are no other tags.
fn end_of_raw(text: &str, name: &str) -> usize {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(at) = text[from..].find("</").map(|at| from + at) {
        from = at + 2;
        let end = from + name.len();
        let is_name =
            bytes.get(from..end).is_some_and(|end| end.eq_ignore_ascii_case(name.as_bytes()));
        let after = bytes.get(end).copied().map_or(' ', char::from);
        if is_name && (is_space(after) || matches!(after, '/' | '>')) {
            return at;
        }
    }
    text.len()
}

/// Puts in place of entities what they stand for. Those that are not known stay as they are.
fn unescape(text: &str, in_attribute: bool) -> Cow<'_, str> {
    if !text.contains('&') {
        return text.into();
    }
    let mut parts = text.split('&');
    let mut out = String::with_capacity(text.len());
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        match entity(part, in_attribute) {
            Some((c, length)) => {
                out.push(c);
                out.push_str(&part[length..]);
            }
            None => {
                out.push('&');
                out.push_str(part);
            }
        }
    }
    out.into()
}

/// What the entity at the beginning stands for, behind its ampersand, and how long it is.
fn entity(text: &str, in_attribute: bool) -> Option<(char, usize)> {
    let after = |length: usize| text.as_bytes().get(length).copied();
    if let Some(number) = text.strip_prefix('#') {
        let (digits, radix) = match number.strip_prefix(['x', 'X']) {
            Some(digits) => (digits, 16),
            None => (number, 10),
        };
        let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
        let code = u32::from_str_radix(&digits[..end], radix);
        let length = text.len() - digits.len() + end;
        let length = length + usize::from(after(length) == Some(b';'));
        let c = match code {
            // Numbers of Windows-1252 mean its characters.
            Ok(code @ 0x80..=0x9f) => crate::charset::windows_1252(code as u8),
            Ok(0) => char::REPLACEMENT_CHARACTER,
            Ok(code) => char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER),
            Err(_) if end == 0 => return None,
            Err(_) => char::REPLACEMENT_CHARACTER,
        };
        return Some((c, length));
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    let index = ENTITIES.binary_search_by_key(&&text[..end], |(name, _)| name).ok()?;
    let code = ENTITIES[index].1;
    let c = char::from_u32(code)?;
    match after(end) {
        Some(b';') => Some((c, end + 1)),
        // The old ones need no end, except where addresses have such words by chance.
        Some(b'=') if in_attribute => None,
        _ if matches!(code, 0x22 | 0x26 | 0x3c | 0x3e | 0xa0..=0xff) => Some((c, end)),
        _ => None,
    }
}

/// The entities of HTML 4 and those for ASCII, in order.
#[rustfmt::skip]
static ENTITIES: [(&str, u32); 284] = [
    ("AElig", 0xc6), ("Aacute", 0xc1), ("Acirc", 0xc2), ("Agrave", 0xc0), ("Alpha", 0x391),
    ("Aring", 0xc5), ("Atilde", 0xc3), ("Auml", 0xc4), ("Beta", 0x392), ("Ccedil", 0xc7),
    ("Chi", 0x3a7), ("Dagger", 0x2021), ("Delta", 0x394), ("ETH", 0xd0), ("Eacute", 0xc9),
    ("Ecirc", 0xca), ("Egrave", 0xc8), ("Epsilon", 0x395), ("Eta", 0x397), ("Euml", 0xcb),
    ("Gamma", 0x393), ("Iacute", 0xcd), ("Icirc", 0xce), ("Igrave", 0xcc), ("Iota", 0x399),
    ("Iuml", 0xcf), ("Kappa", 0x39a), ("Lambda", 0x39b), ("Mu", 0x39c), ("NewLine", 0xa),
    ("Ntilde", 0xd1), ("Nu", 0x39d), ("OElig", 0x152), ("Oacute", 0xd3), ("Ocirc", 0xd4),
    ("Ograve", 0xd2), ("Omega", 0x3a9), ("Omicron", 0x39f), ("Oslash", 0xd8),
    ("Otilde", 0xd5), ("Ouml", 0xd6), ("Phi", 0x3a6), ("Pi", 0x3a0), ("Prime", 0x2033),
    ("Psi", 0x3a8), ("Rho", 0x3a1), ("Scaron", 0x160), ("Sigma", 0x3a3), ("THORN", 0xde),
    ("Tab", 0x9), ("Tau", 0x3a4), ("Theta", 0x398), ("Uacute", 0xda), ("Ucirc", 0xdb),
    ("Ugrave", 0xd9), ("Upsilon", 0x3a5), ("Uuml", 0xdc), ("Xi", 0x39e), ("Yacute", 0xdd),
    ("Yuml", 0x178), ("Zeta", 0x396), ("aacute", 0xe1), ("acirc", 0xe2), ("acute", 0xb4),
    ("aelig", 0xe6), ("agrave", 0xe0), ("alefsym", 0x2135), ("alpha", 0x3b1), ("amp", 0x26),
    ("and", 0x2227), ("ang", 0x2220), ("apos", 0x27), ("aring", 0xe5), ("ast", 0x2a),
    ("asymp", 0x2248), ("atilde", 0xe3), ("auml", 0xe4), ("bdquo", 0x201e), ("beta", 0x3b2),
    ("brvbar", 0xa6), ("bsol", 0x5c), ("bull", 0x2022), ("cap", 0x2229), ("ccedil", 0xe7),
    ("cedil", 0xb8), ("cent", 0xa2), ("check", 0x2713), ("chi", 0x3c7), ("circ", 0x2c6),
    ("clubs", 0x2663), ("colon", 0x3a), ("comma", 0x2c), ("commat", 0x40), ("cong", 0x2245),
    ("copy", 0xa9), ("crarr", 0x21b5), ("cup", 0x222a), ("curren", 0xa4), ("dArr", 0x21d3),
    ("dagger", 0x2020), ("darr", 0x2193), ("deg", 0xb0), ("delta", 0x3b4),
    ("diams", 0x2666), ("divide", 0xf7), ("dollar", 0x24), ("eacute", 0xe9),
    ("ecirc", 0xea), ("egrave", 0xe8), ("empty", 0x2205), ("emsp", 0x2003),
    ("ensp", 0x2002), ("epsilon", 0x3b5), ("equals", 0x3d), ("equiv", 0x2261),
    ("eta", 0x3b7), ("eth", 0xf0), ("euml", 0xeb), ("euro", 0x20ac), ("excl", 0x21),
    ("exist", 0x2203), ("fnof", 0x192), ("forall", 0x2200), ("frac12", 0xbd),
    ("frac14", 0xbc), ("frac34", 0xbe), ("frasl", 0x2044), ("gamma", 0x3b3), ("ge", 0x2265),
    ("grave", 0x60), ("gt", 0x3e), ("hArr", 0x21d4), ("harr", 0x2194), ("hearts", 0x2665),
    ("hellip", 0x2026), ("hyphen", 0x2010), ("iacute", 0xed), ("icirc", 0xee),
    ("iexcl", 0xa1), ("igrave", 0xec), ("image", 0x2111), ("infin", 0x221e),
    ("int", 0x222b), ("iota", 0x3b9), ("iquest", 0xbf), ("isin", 0x2208), ("iuml", 0xef),
    ("kappa", 0x3ba), ("lArr", 0x21d0), ("lambda", 0x3bb), ("lang", 0x2329),
    ("laquo", 0xab), ("larr", 0x2190), ("lbrace", 0x7b), ("lbrack", 0x5b),
    ("lceil", 0x2308), ("ldquo", 0x201c), ("le", 0x2264), ("lfloor", 0x230a),
    ("lowast", 0x2217), ("lowbar", 0x5f), ("loz", 0x25ca), ("lpar", 0x28), ("lrm", 0x200e),
    ("lsaquo", 0x2039), ("lsquo", 0x2018), ("lt", 0x3c), ("macr", 0xaf), ("mdash", 0x2014),
    ("micro", 0xb5), ("middot", 0xb7), ("minus", 0x2212), ("mu", 0x3bc), ("nabla", 0x2207),
    ("nbsp", 0xa0), ("ndash", 0x2013), ("ne", 0x2260), ("ni", 0x220b), ("not", 0xac),
    ("notin", 0x2209), ("nsub", 0x2284), ("ntilde", 0xf1), ("nu", 0x3bd), ("num", 0x23),
    ("oacute", 0xf3), ("ocirc", 0xf4), ("oelig", 0x153), ("ograve", 0xf2),
    ("oline", 0x203e), ("omega", 0x3c9), ("omicron", 0x3bf), ("oplus", 0x2295),
    ("or", 0x2228), ("ordf", 0xaa), ("ordm", 0xba), ("oslash", 0xf8), ("otilde", 0xf5),
    ("otimes", 0x2297), ("ouml", 0xf6), ("para", 0xb6), ("part", 0x2202), ("percnt", 0x25),
    ("period", 0x2e), ("permil", 0x2030), ("perp", 0x22a5), ("phi", 0x3c6),
    ("phone", 0x260e), ("pi", 0x3c0), ("piv", 0x3d6), ("plus", 0x2b), ("plusmn", 0xb1),
    ("pound", 0xa3), ("prime", 0x2032), ("prod", 0x220f), ("prop", 0x221d), ("psi", 0x3c8),
    ("quest", 0x3f), ("quot", 0x22), ("rArr", 0x21d2), ("radic", 0x221a), ("rang", 0x232a),
    ("raquo", 0xbb), ("rarr", 0x2192), ("rbrace", 0x7d), ("rbrack", 0x5d),
    ("rceil", 0x2309), ("rdquo", 0x201d), ("real", 0x211c), ("reg", 0xae),
    ("rfloor", 0x230b), ("rho", 0x3c1), ("rlm", 0x200f), ("rpar", 0x29), ("rsaquo", 0x203a),
    ("rsquo", 0x2019), ("sbquo", 0x201a), ("scaron", 0x161), ("sdot", 0x22c5),
    ("sect", 0xa7), ("semi", 0x3b), ("shy", 0xad), ("sigma", 0x3c3), ("sigmaf", 0x3c2),
    ("sim", 0x223c), ("sol", 0x2f), ("spades", 0x2660), ("star", 0x2606), ("starf", 0x2605),
    ("sub", 0x2282), ("sube", 0x2286), ("sum", 0x2211), ("sup", 0x2283), ("sup1", 0xb9),
    ("sup2", 0xb2), ("sup3", 0xb3), ("supe", 0x2287), ("szlig", 0xdf), ("tau", 0x3c4),
    ("there4", 0x2234), ("theta", 0x3b8), ("thetasym", 0x3d1), ("thinsp", 0x2009),
    ("thorn", 0xfe), ("tilde", 0x2dc), ("times", 0xd7), ("trade", 0x2122), ("uArr", 0x21d1),
    ("uacute", 0xfa), ("uarr", 0x2191), ("ucirc", 0xfb), ("ugrave", 0xf9), ("uml", 0xa8),
    ("upsih", 0x3d2), ("upsilon", 0x3c5), ("uuml", 0xfc), ("vert", 0x7c),
    ("weierp", 0x2118), ("xi", 0x3be), ("yacute", 0xfd), ("yen", 0xa5), ("yuml", 0xff),
    ("zeta", 0x3b6), ("zwj", 0x200d), ("zwnj", 0x200c),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(html: &str) -> String {
        let mut out = String::new();
        for token in tokens(html) {
            match token {
                Token::Start { name, attributes } => out += &format!("<{name} {attributes:?}>"),
                Token::End(name) => out += &format!("</{name}>"),
                Token::Text(text) => out += &text,
            }
        }
        out
    }

    #[test]
    fn tags_are_read_as_browsers_do() {
        let html = "<A HREF='x>y' b=c/d e f = \"&amp;g\" b=2>t</A >";
        let expected = r#"<a [("href", "x>y"), ("b", "c/d"), ("e", ""), ("f", "&g")]>t</a>"#;
        assert_eq!(read(html), expected);
        assert_eq!(read("<br/><p\n/>"), "<br []><p []>");
        assert_eq!(read("a<!-- <b> -->b<!-->c<!DOCTYPE html>d<?xml ?>e</ >f"), "abcdef");
        assert_eq!(read("1 < 2 <3> a<"), "1 < 2 <3> a<");
        assert_eq!(read("<a>ä</a>ö<"), "<a []>ä</a>ö<");
        assert_eq!(
            read("<script>if (a</b>c) '</scripty>'</SCRIPT >x"),
            "<script []>if (a</b>c) '</scripty>'</script>x"
        );
        assert_eq!(read("<title>a &lt;b> c</title>"), "<title []>a <b> c</title>");
    }

    #[test]
    fn a_page_may_end_anywhere() {
        let html = "<p é='ü' x=\"y\">&#x20ac;</p><!-- - --><style>a</style>";
        for end in (0..html.len()).filter(|&end| html.is_char_boundary(end)) {
            read(&html[..end]);
        }
    }

    #[test]
    fn entities_are_what_they_stand_for() {
        assert!(ENTITIES.is_sorted());
        assert_eq!(
            read("&eacute;&#233;&#xE9;&#x80; &copy 1 &hellip &notit; &amp;lt;"),
            "éé\u{e9}€ © 1 &hellip &notit; &lt;"
        );
        assert_eq!(read("&#0;&#x110000;&#99999999999;&#;& &&"), "\u{fffd}\u{fffd}\u{fffd}&#;& &&");
        assert_eq!(read("<a href='?a&copy=1&lt;'>"), "<a [(\"href\", \"?a&copy=1<\")]>");
    }
}
