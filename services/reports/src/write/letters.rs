//! Letters of the PDF base font Helvetica: their bytes in WinAnsiEncoding (ISO 32000-1, annex D) and their widths (Adobe's
//! metrics of the 14 base fonts). It must never drop a letter: one that the font lacks is written by its number.

/// What stands where the 14 base fonts lack a letter: `‹U+5B57›`.
const LACKS: (u8, u8) = (0x8B, 0x9B);

/// Letters of WinAnsiEncoding from 0x80 to 0x9F.
const HIGH: [(char, u8); 27] = [
    ('€', 0x80),
    ('‚', 0x82),
    ('ƒ', 0x83),
    ('„', 0x84),
    ('…', 0x85),
    ('†', 0x86),
    ('‡', 0x87),
    ('ˆ', 0x88),
    ('‰', 0x89),
    ('Š', 0x8A),
    ('‹', 0x8B),
    ('Œ', 0x8C),
    ('Ž', 0x8E),
    ('‘', 0x91),
    ('’', 0x92),
    ('“', 0x93),
    ('”', 0x94),
    ('•', 0x95),
    ('–', 0x96),
    ('—', 0x97),
    ('˜', 0x98),
    ('™', 0x99),
    ('š', 0x9A),
    ('›', 0x9B),
    ('œ', 0x9C),
    ('ž', 0x9E),
    ('Ÿ', 0x9F),
];

/// Thousandths of the font's size, from 0x20 on; a byte that is no letter has the width of a bullet.
#[rustfmt::skip]
const WIDTHS: [u16; 224] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
    1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
    333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
    556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584, 350,
    556, 350, 222, 556, 333, 1000, 556, 556, 333, 1000, 667, 333, 1000, 350, 611, 350,
    350, 222, 222, 333, 333, 350, 556, 1000, 333, 1000, 500, 333, 944, 350, 500, 667,
    278, 333, 556, 556, 556, 556, 260, 556, 333, 737, 370, 556, 584, 333, 737, 333,
    400, 584, 333, 333, 333, 556, 537, 278, 333, 333, 365, 556, 834, 834, 834, 611,
    667, 667, 667, 667, 667, 667, 1000, 722, 667, 667, 667, 667, 278, 278, 278, 278,
    722, 722, 778, 778, 778, 778, 778, 584, 778, 722, 722, 722, 722, 667, 667, 611,
    556, 556, 556, 556, 556, 556, 889, 500, 556, 556, 556, 556, 278, 278, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 584, 611, 556, 556, 556, 556, 500, 556, 500,
];

/// A text as the font's bytes, and whether a letter was written by its number.
pub(super) fn encoded(text: &str) -> (Vec<u8>, bool) {
    let (mut out, mut lacks) = (Vec::with_capacity(text.len()), false);
    for letter in text.chars() {
        match byte(letter) {
            Some(byte) => out.push(byte),
            None => {
                lacks = true;
                out.push(LACKS.0);
                out.extend(format!("U+{:04X}", u32::from(letter)).bytes());
                out.push(LACKS.1);
            }
        }
    }
    (out, lacks)
}

fn byte(letter: char) -> Option<u8> {
    match letter {
        ' '..='~' | '\u{a0}'..='\u{ff}' => u8::try_from(u32::from(letter)).ok(),
        _ => HIGH.iter().find(|(own, _)| *own == letter).map(|(_, byte)| *byte),
    }
}

/// How wide bytes are, in thousandths of the font's size.
pub(super) fn width(bytes: &[u8]) -> u32 {
    let of = |byte: &u8| WIDTHS.get(usize::from(*byte).wrapping_sub(32)).copied().unwrap_or(350);
    bytes.iter().map(|byte| u32::from(of(byte))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_that_the_font_lacks_is_written_by_its_number() {
        assert_eq!(encoded("Ana–€é"), (b"Ana\x96\x80\xe9".to_vec(), false));
        let (bytes, lacks) = encoded("中\n😀");
        assert!(lacks);
        assert_eq!(bytes, b"\x8bU+4E2D\x9b\x8bU+000A\x9b\x8bU+1F600\x9b");
        assert_eq!(width(b"10.5"), 556 * 3 + 278);
        assert_eq!(width(b"W\xff"), 944 + 500);
    }
}
