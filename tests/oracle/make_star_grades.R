# STAR, mathematics by grade: small classes and aides against regular ones, teachers within schools; run beside ../shared/data.
suppressMessages({library(lme4); library(lmerTest)})
d <- read.csv("../shared/data/star_class_size.csv.gz")
for (g in unique(d$gr)) {
  one <- d[d$gr == g & d$cltype != "" & !is.na(d$math), ]
  one$cltype <- relevel(factor(one$cltype), ref = "reg")
  fit <- lmerTest::lmer(math ~ cltype + (1 | sch) + (1 | tch), one)
  row <- coef(summary(fit))["cltypesmall", ]
  cat(g, nrow(one), sprintf("%.6f", row[c(1, 2, 3)]), "\n")
}
fixed <- lm(math ~ cltype + factor(sch), transform(d[d$gr == "K" & !is.na(d$math), ], cltype = relevel(factor(cltype), ref = "reg")))
cat("within schools, K", sprintf("%.6f", coef(fixed)["cltypesmall"]), "\n")
