//! A macro that the parser writes out and the API server does not know: `existsOne` with one variable, which is
//! `exists_one` there. What the parser made of both is the same, so it is told by the text.

use cel::parser::pratt_parser::{Lexer, Token, TokenKind};

/// Whether a text that the parser took calls `.existsOne(x, …)`.
pub(super) fn has_exists_one_of_one(source: &str) -> bool {
    let tokens = tokens(source);
    let called = |three: &[Token]| {
        let kinds = [TokenKind::TokDot, TokenKind::TokIdent, TokenKind::TokLeftParen];
        three.iter().map(|token| token.kind).eq(kinds) && source[three[1].start..three[1].end] == *"existsOne"
    };
    tokens.windows(3).enumerate().any(|(at, three)| called(three) && arguments(&tokens[at + 3..]) == 2)
}

/// All that has a meaning.
fn tokens(source: &str) -> Vec<Token> {
    let mut lexer = Lexer::new(source);
    let all = std::iter::from_fn(|| Some(lexer.lex()));
    let some = all.take_while(|token| !matches!(token.kind, TokenKind::TokEnd | TokenKind::TokError));
    some.filter(|token| !matches!(token.kind, TokenKind::TokWhitespace | TokenKind::TokComment)).collect()
}

/// How many arguments stand between here and the parenthesis that closes.
fn arguments(tokens: &[Token]) -> usize {
    let (mut depth, mut commas) = (0_usize, 0);
    for token in tokens {
        match token.kind {
            TokenKind::TokLeftParen | TokenKind::TokLeftBracket | TokenKind::TokLeftBrace => depth += 1,
            TokenKind::TokRightParen | TokenKind::TokRightBracket | TokenKind::TokRightBrace if depth > 0 => depth -= 1,
            TokenKind::TokRightParen => break,
            TokenKind::TokComma if depth == 0 => commas += 1,
            _ => {}
        }
    }
    commas + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_with_one_variable_are_found() {
        for (source, found) in [
            ("a.existsOne(x, x > 2)", true),
            ("a . existsOne // so\n ( x,\n x in [1, 2] || size({1: 2, 3: 4}) > f(1, 2))", true),
            ("[1].all(y, a.existsOne(x, x == y))", true),
            ("a.existsOne(i, v, v.existsOne(x, true))", true),
            ("a.existsOne(i, v, [i, v] == [1, 2])", false),
            ("a.exists_one(x, x > 2)", false),
            ("'.existsOne(x, y)' == a", false),
            ("has(a.existsOne) && f(1, 2)", false),
            ("a.existsOneMore(x, y)", false),
            ("existsOne(x, y)", false),
        ] {
            assert_eq!(has_exists_one_of_one(source), found, "{source}");
        }
    }
}
