# Reference values of cluster-robust inference. Run by hand: Rscript tests/oracle/make_robust.R
# R 4.2.2, clubSandwich 0.5.8, survey 4.1.1, lme4 1.1-31, nlme 3.1-162, HSAUR3 1.0-13, mlmRev 1.0-8.
suppressPackageStartupMessages({library(clubSandwich); library(survey); library(lme4); library(nlme); library(mlmRev)})
options(digits = 15)
out <- function(x, name) {
  path <- file.path("tests/oracle", name)
  con <- if (grepl("gz$", name)) gzfile(path, "w") else file(path, "w")
  write.csv(x, con, row.names = FALSE); close(con)
}
KINDS <- c("CR0", "CR1", "CR1S", "CR2", "CR3")
rows <- list()
add <- function(case, fit, cluster, kinds = KINDS, keep = NULL) for (k in kinds) {
  s <- coef_test(fit, vcov = vcovCR(fit, cluster = cluster, type = k), test = "Satterthwaite")
  s <- data.frame(case = case, kind = k, term = rownames(s), estimate = s$beta, std_error = s$SE, df = s$df_Satt, p_value = s$p_Satt)
  rows[[length(rows) + 1]] <<- if (is.null(keep)) s else s[s$term %in% keep, ]
}
joint <- list()
htz <- function(case, fit, cluster, kind, constraint) {
  w <- Wald_test(fit, constraints = constraint, vcov = vcovCR(fit, cluster = cluster, type = kind), test = "HTZ")
  joint[[length(joint) + 1]] <<- data.frame(case = case, kind = kind, statistic = w$Fstat, df1 = w$df_num, df2 = w$df_denom, p_value = w$p_val)
}

# 1. Rows that travel with the project.
sleep <- data.frame(y = sleepstudy$Reaction, days = sleepstudy$Days, cluster = sleepstudy$Subject)
orth <- data.frame(y = Orthodont$distance, age = Orthodont$age - 11, sex = as.character(Orthodont$Sex), cluster = as.character(Orthodont$Subject))
data("BtheB", package = "HSAUR3")
btheb <- data.frame(y = BtheB$bdi.2m, pre = BtheB$bdi.pre, treatment = as.character(BtheB$treatment), drug = as.character(BtheB$drug),
                    length = as.character(BtheB$length), cluster = seq_len(nrow(BtheB)))
data(AchievementAwardsRCT)
aa <- subset(AchievementAwardsRCT, year == 2001 | sex == "Girl")
aa <- with(aa, data.frame(y = as.integer(Bagrut_status), year = year, school = school_id, type = as.integer(factor(school_type)),
  treated = as.integer(treated), sex = as.integer(sex == "Boy"), quarter = as.integer(factor(qrtl)), siblings = siblings,
  immigrant = as.integer(immigrant), father = father_ed, mother = mother_ed))
out(sleep, "robust_sleepstudy.csv"); out(orth, "robust_orthodont.csv"); out(btheb, "robust_btheb.csv"); out(aa, "robust_awards.csv.gz")

# 2. Ordinary and weighted least squares.
add("sleepstudy", lm(y ~ days, sleep), sleep$cluster)
add("orthodont", lm(y ~ age * sex, orth), orth$cluster)
b <- na.omit(btheb); add("btheb", lm(y ~ pre + treatment + drug + length, b), b$cluster)
aa$wt <- 1 + (aa$siblings %% 4) / 2
a1 <- subset(aa, year == 2001)
f <- y ~ treated + factor(quarter) + sex + siblings + immigrant + father + mother
ols <- lm(f, a1); add("awards", ols, a1$school)
a1$share <- 1 / ave(a1$y, a1$school, FUN = length)
add("awards_school_average", lm(f, a1, weights = share), a1$school)
add("awards_weighted", lm(f, a1, weights = wt), a1$school)
g <- subset(aa, sex == 0)
girls <- lm(y ~ factor(year) * treated + factor(type) + father + mother + immigrant + siblings + factor(quarter), g)
add("girls", girls, g$school, "CR2")
for (k in c("CR1", "CR2", "CR3")) htz("girls", girls, g$school, k, constrain_zero("factor\\(year\\).*:treated", reg_ex = TRUE, coefs = coef(girls)))
htz("awards", ols, a1$school, "CR2", constrain_zero("quarter", reg_ex = TRUE, coefs = coef(ols)))
htz("orthodont", lm(y ~ age * sex, orth), orth$cluster, "CR2", constrain_zero(2:4))
# Fixed effects of schools as dummies: what absorbing them must equal. A made-up treatment within schools keeps it honest.
g$split <- as.integer((seq_len(nrow(g)) * 7) %% 5 < 2)
add("girls_absorbed", lm(y ~ split + siblings + father + factor(school), g), g$school, c("CR0", "CR1", "CR1S", "CR2"), c("split", "siblings", "father"))

tight <- glm.control(epsilon = 1e-15, maxit = 100)
# 3. Logit: exact root over pupils, and survey's linearised errors.
l1 <- glm(y ~ treated + factor(quarter), binomial, a1, control = tight); l1 <- update(l1, start = coef(l1))  # the weights R keeps are those of the step before the last
add("logit", l1, a1$school)
l2 <- glm(y ~ treated + siblings + father, binomial, a1, weights = wt, control = tight)
l2 <- update(l2, start = coef(l2)); add("logit_weighted", l2, a1$school)
htz("logit", l1, a1$school, "CR2", constrain_zero("quarter", reg_ex = TRUE, coefs = coef(l1)))
d <- svydesign(~school, weights = ~wt, data = a1)
s <- svyglm(y ~ treated + siblings + father, d, family = quasibinomial(), control = tight)
s <- summary(update(s, start = coef(s)))$coefficients
rows[[length(rows) + 1]] <- data.frame(case = "survey_logit", kind = "CR1", term = rownames(s), estimate = s[, 1], std_error = s[, 2], df = NA, p_value = NA)
s <- summary(svyglm(f, d))$coefficients
rows[[length(rows) + 1]] <- data.frame(case = "survey_linear", kind = "CR1", term = rownames(s), estimate = s[, 1], std_error = s[, 2], df = NA, p_value = NA)

# 4. Sums by school only: Hsb82 (160 schools) and STAR (79 schools), whose rows stay where they are.
sums <- list()
keep <- function(case, fit, cluster) {
  X <- model.matrix(fit); y <- model.response(model.frame(fit)); k <- as.character(cluster)
  for (s in unique(k)) {
    Z <- cbind(X[k == s, , drop = FALSE], y = y[k == s]); G <- crossprod(Z); at <- which(upper.tri(G, TRUE), arr.ind = TRUE)
    sums[[length(sums) + 1]] <<- data.frame(case = case, cluster = s, n = nrow(Z), row = at[, 1] - 1, column = at[, 2] - 1, value = G[at])
  }
}
hsb <- lm(mAch ~ ses + sector, Hsb82); add("hsb82", hsb, Hsb82$school); keep("hsb82", hsb, Hsb82$school)
k <- subset(star, gr == "K" & !is.na(math) & !is.na(sx) & !is.na(cltype))
st <- lm(math ~ cltype + sx, k); add("star", st, k$sch, c("CR1", "CR2", "CR3")); keep("star", st, k$sch)
out(do.call(rbind, sums), "robust_sums.csv.gz")
out(do.call(rbind, rows), "robust_values.csv"); out(do.call(rbind, joint), "robust_joint.csv")

# 5. Welch, pooled and equivalence tests, adjustments.
two <- split(btheb$y, btheb$treatment)
t1 <- t.test(two$TAU, two$BtheB, mu = -3, alternative = "greater"); t2 <- t.test(two$TAU, two$BtheB, mu = 3, alternative = "less")
p1 <- t.test(two$TAU, two$BtheB, mu = -3, alternative = "greater", var.equal = TRUE); p2 <- t.test(two$TAU, two$BtheB, mu = 3, alternative = "less", var.equal = TRUE)
out(data.frame(what = c("tost_welch", "tost_pooled", "tost_df"), value = c(max(t1$p.value, t2$p.value), max(p1$p.value, p2$p.value), t1$parameter)), "robust_tost.csv")
