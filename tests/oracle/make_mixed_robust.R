# CR2 of mixed models by clubSandwich (vcovCR of lmer, coef_test by Satterthwaite, Wald_test HTZ). Run: Rscript make_mixed_robust.R
# Rows are those of make_multilevel.R (its CSVs), and one table drawn here: an unbalanced trial of three levels.
# Versions of the committed figures: R 4.2.2, lme4 1.1-31, clubSandwich 0.5.8, effectsize 0.8.3.
suppressMessages({library(lme4); library(clubSandwich)})
here <- dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)))
out <- function(x, name) write.csv(format(x, digits = 15, trim = TRUE, scientific = FALSE), file.path(here, name), row.names = FALSE, quote = FALSE)
read <- function(name) read.csv(file.path(here, name), stringsAsFactors = TRUE)
tight <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhobeg = 0.02, rhoend = 1e-10, maxfun = 1e5), calc.derivs = FALSE)
values <- list()
keep <- function(name, m, cluster, kinds = "CR2") for (kind in kinds) {
  v <- vcovCR(m, cluster = cluster, type = kind); s <- coef_test(m, vcov = v, test = "Satterthwaite")
  values[[paste(name, kind)]] <<- data.frame(model = name, kind = kind, term = rownames(vcov(m)), estimate = s$beta, std_error = s$SE,
    df = if (is.null(s$df_Satt)) s$df else s$df_Satt, p = if (is.null(s$p_Satt)) s$p_val else s$p_Satt)
}
every <- c("CR0", "CR1", "CR1S", "CR2", "CR3")

b <- subset(read("multilevel_btheb.csv"), !is.na(bdi)); b$treatment <- relevel(b$treatment, "TAU"); b$length <- relevel(b$length, "<6m")
keep("btheb", lmer(bdi ~ pre + time + treatment + drug + length + (1 | subject), b, control = tight), b$subject, every)
a <- read("multilevel_awards.csv")
keep("awards", lmer(bagrut_status ~ treated + factor(qrtl) + sex + siblings + immigrant + father_ed + mother_ed + (1 | school_id), a, control = tight), a$school_id)
h <- read("multilevel_hsb82.csv")
keep("hsb82", lmer(mAch ~ ses + catholic + (1 | school), h, control = tight), h$school)
h$meanses <- ave(h$ses, h$school); h$cses <- h$ses - h$meanses
keep("hsb82_slope", lmer(mAch ~ cses * catholic + meanses * cses + (cses | school), h, control = tight), h$school)
r <- read("multilevel_sleepstudy.csv"); keep("sleep", lmer(Reaction ~ Days + (1 | Subject), r, control = tight), r$Subject)
keep("sleep_slope", lmer(Reaction ~ Days + (Days | Subject), r, control = tight), r$Subject)
o <- read("multilevel_orthodont.csv"); o$female <- 1 * (o$Sex == "Female"); o$c <- o$age - 11
keep("orthodont", lmer(distance ~ c * female + (1 | Subject), o, control = tight), o$Subject)
k <- read("multilevel_star.csv"); k$cltype <- relevel(k$cltype, "small"); k$sch <- factor(k$sch); k$tch <- factor(k$tch)
m <- lmer(math ~ cltype + sx + (1 | sch / tch), k, control = tight); keep("star", m, k$sch)
w <- Wald_test(m, constraints = constrain_zero(2:3), vcov = vcovCR(m, cluster = k$sch, type = "CR2"), test = "HTZ")
joint <- data.frame(model = "star", f = w$Fstat, df1 = w$df_num, df2 = w$df_denom, p = w$p_val)

# Three levels: 14 schools of 1 to 4 classes of 2 to 9 pupils at 1 to 3 waves, arms by school, a district above.
set.seed(20261126)
n_class <- sample(1:4, 14, TRUE); class <- rep(seq_along(n_class), n_class); n_pupil <- sample(2:9, length(class), TRUE)
pupil_class <- rep(seq_along(class), n_pupil); pupil_school <- class[pupil_class]; n <- length(pupil_class)
u <- rnorm(14, 0, .6)[pupil_school] + rnorm(length(class), 0, .5)[pupil_class] + rnorm(n)
d <- expand.grid(pupil = seq_len(n), wave = 0:2); d$class <- pupil_class[d$pupil]; d$school <- pupil_school[d$pupil]
d$district <- (d$school - 1) %/% 2 + 1; d$arm <- d$school %% 2; d$base <- round(rnorm(n), 2)[d$pupil]
d$y <- round(3 + u[d$pupil] + .5 * d$base + .2 * d$wave + .3 * d$arm * d$wave + rnorm(nrow(d), 0, .8 + .4 * d$arm), 3)
d <- d[runif(nrow(d)) > c(0, .15, .3)[d$wave + 1], ]
out(d, "mixed_robust_rows.csv")
m <- lmer(y ~ base + wave * arm + (1 | school / class / pupil), d, control = tight)
keep("trial", m, d$school, every); keep("trial_district", m, d$district)
w <- Wald_test(m, constraints = constrain_zero(3:5), vcov = vcovCR(m, cluster = d$school, type = "CR2"), test = "HTZ")
joint <- rbind(joint, data.frame(model = "trial", f = w$Fstat, df1 = w$df_num, df2 = w$df_denom, p = w$p_val))
keep("trial_slope", lmer(y ~ base + wave * arm + (wave | school) + (1 | school:pupil), d, control = tight), d$school)
keep("trial_pupil_slope", lmer(y ~ base + wave * arm + (1 | school) + (0 + wave | school:pupil) + (1 | school:pupil), d, control = tight), d$school)
keep("trial_ml", lmer(y ~ base + wave * arm + (1 | school / pupil), d, REML = FALSE, control = tight), d$school)
w <- linear_contrast(m, vcov = "CR2", cluster = d$school, contrasts = matrix(c(0, 0, 0, 1, 2), 1))

values[["contrast"]] <- data.frame(model = "trial_contrast", kind = "CR2", term = "arm + 2 wave:arm", estimate = w$Est, std_error = w$SE, df = w$df, p = NA)
values <- do.call(rbind, values); values$p <- round(values$p, 12)
out(values, "mixed_robust_values.csv"); out(joint, "mixed_robust_joint.csv")

# Glass's delta: Beat the Blues at 2 months, deviation of the usual care and of the programme.
y <- read("robust_btheb.csv"); y <- y[!is.na(y$y), ]
e <- function(x, z, name) { g <- effectsize::glass_delta(x, z); g2 <- effectsize::glass_delta(x, z, ci = .9); data.frame(case = name, delta = g[[1]], low = g$CI_low, high = g$CI_high, low90 = g2$CI_low, high90 = g2$CI_high) }
tau <- y$y[y$treatment == "TAU"]; new <- y$y[y$treatment == "BtheB"]
out(rbind(e(tau, new, "tau_by_new"), e(new, tau, "new_by_tau")), "effect_size_glass.csv")
