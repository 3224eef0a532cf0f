//! How many of something, in words.

/// A number with its noun: `1 page`, `17,248 bytes`, `0 tries`.
pub fn count(number: impl TryInto<u64>, noun: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    let digits = thousands(number);
    if number == 1 {
        return format!("{digits} {noun}");
    }
    let after_consonant = |stem: &str| !stem.ends_with(['a', 'e', 'i', 'o', 'u']);
    match noun.strip_suffix('y').filter(|stem| after_consonant(stem)) {
        Some(stem) => format!("{digits} {stem}ies"),
        None if noun.ends_with('s') => format!("{digits} {noun}es"),
        None => format!("{digits} {noun}s"),
    }
}

/// A number with a comma before every three digits.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular_and_everything_else_is_plural() {
        let cases = [
            (0, "page", "0 pages"),
            (1, "page", "1 page"),
            (17_248, "byte", "17,248 bytes"),
            (1, "try", "1 try"),
            (1_234_567, "try", "1,234,567 tries"),
            (2, "day", "2 days"),
            (2, "access", "2 accesses"),
        ];
        for (number, noun, text) in cases {
            assert_eq!(count(number, noun), text);
        }
    }
}
