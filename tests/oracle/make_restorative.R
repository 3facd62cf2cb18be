# The 18-school trial of the CR2 package, from its committed counts: the values of tests/stats/test_restorative.py.
# glm's default stop leaves the weights one step behind: with a tight stop the error of the logit differs in its sixth digit.
suppressMessages({library(clubSandwich); library(lme4); library(lmerTest)})
counts <- read.csv("tests/oracle/restorative_counts.csv")
d <- counts[rep(seq_len(nrow(counts)), counts$n), ]
f <- odr_post ~ trt + odr_pre + female + race_Black + size + stype_elem + stype_ms
show <- function(fit) { one <- coef_test(fit, vcov = "CR2", cluster = d$usid, test = "Satterthwaite", coefs = "trt"); cat(sprintf("%.10f", c(one$beta, one$SE, one$df_Satt, one$p_Satt)), "\n") }
show(lm(f, d))
show(glm(f, binomial, d))
show(glm(f, binomial, d, control = glm.control(epsilon = 1e-14, maxit = 100)))
print(coef(summary(lmerTest::lmer(update(f, . ~ . + (1 | usid)), d)))["trt", ], digits = 11)
print(coef(summary(glmer(update(f, . ~ . - size + I(size / 100) + (1 | usid)), d, binomial)))["trt", ], digits = 11)
